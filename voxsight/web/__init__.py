"""The service: who may ask, uploads, queues, answers, live answers, and the page's files."""
