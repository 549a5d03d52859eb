"""`python -m talktime` is the command `talktime`."""

from talktime.cli import main

main()
