@rem npm start begins with "exec", so that a signal reaches node and not a shell; cmd.exe has no exec and finds this one.
@%*
