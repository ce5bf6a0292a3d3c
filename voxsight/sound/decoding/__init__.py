"""From a file to blocks of samples: libsndfile, FFmpeg, and the process that they run in."""
