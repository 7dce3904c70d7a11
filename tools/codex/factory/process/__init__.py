"""Children of this process: started, spoken with, watched, ended with all that they started."""
