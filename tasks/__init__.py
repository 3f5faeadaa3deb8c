"""One room per step of the flow, and what they share."""
