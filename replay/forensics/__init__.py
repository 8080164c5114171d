"""What makes two executions differ, explained from their records alone: pure, it opens nothing."""
