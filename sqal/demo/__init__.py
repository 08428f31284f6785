"""The whole line on one machine: database, broker, ingest, server, and one agent a site on simulated sensors."""
