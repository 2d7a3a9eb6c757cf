"""The clerk's page: what the command line shows, in a browser. It decides nothing itself: the commands call the same functions."""
