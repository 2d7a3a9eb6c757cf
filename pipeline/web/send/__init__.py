"""The page that sends: the preview of the newest check, the question, and the run as a child process, shown live."""
