"""What the verbs of evidence share: verdicts gathered and shown, anchors, signatures, receipts."""
