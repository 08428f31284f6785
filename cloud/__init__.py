"""The server side: ingest, store, alerts, relay, API."""
