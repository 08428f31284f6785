"""The device at the line: sampler, spool, uplink, agent."""
