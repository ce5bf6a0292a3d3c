"""The web page: what guards it, what answers, how an answer looks, and the page itself."""
