"""The live conversation, one file per part of it.

Everything runs on one event loop; nothing here is done per frame that a frame does not need.
"""
