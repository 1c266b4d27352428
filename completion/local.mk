# Where bash looks for what completes a command, when it is first asked to.
bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = completion/runstreamctl
