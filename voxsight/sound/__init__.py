"""From a file, a microphone or an array to mono samples, speech and windows."""
