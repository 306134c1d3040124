complete --keep-order --exclusive --command kilter --arguments "(COMPLETE=fish kilter -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
