"""What `talktime doctor` looks at: one file for each neighbourhood, each check gives its findings."""
