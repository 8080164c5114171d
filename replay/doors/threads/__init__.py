"""What a thread starts, waits for or hears of: threads, locks, pools, loops, sleep, signals."""
