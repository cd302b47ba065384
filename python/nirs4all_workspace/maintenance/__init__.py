"""What checks a workspace, repairs it and clears it up."""
