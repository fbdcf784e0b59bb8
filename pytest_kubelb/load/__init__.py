"""wrk: the command line, the Lua report and the parsers of what it prints. Text in, values out."""
