"""What travels: messages, codec, topics. Pure values, no I/O; imports nothing of ours."""
