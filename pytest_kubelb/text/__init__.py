"""Text as people read it: what does not print, secrets taken out, figures spelled."""
