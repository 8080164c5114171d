"""What a program asks of its surroundings: clocks, chance, environment, machine, terminal, zone."""
