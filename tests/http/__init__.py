"""What every door shares, proven."""  # noqa: A005  # `talktime.http` and its tests shadow nothing
