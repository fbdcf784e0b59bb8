"""What a session shows and writes: terminal, JUnit, JSON and the bridge to pytest-benchmark."""
