"""From a folder of nirs4all 0.6 to a workspace, piece by piece; `migrate` puts the pieces together."""
