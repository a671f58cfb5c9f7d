"""What is typed before the first deploy.

check  `inv check`: all that a deploy needs, asked for in one run
init   `changeover init`: the first files of a project
trial  a deploy's own look and plan, for what speaks against it
"""
