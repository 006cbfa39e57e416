"""The whole of Masir, from outside: its commands and ``masir run``, as processes of their own."""
