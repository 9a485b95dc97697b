"""Dashboards as code. They come with the dashboards pusher."""
