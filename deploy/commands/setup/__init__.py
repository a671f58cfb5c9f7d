"""The commands that are typed before the first deploy.

check  `inv check`: everything that a deploy needs, in one run
init   `changeover init`: the first files of a project
trial  a deploy's survey and plan, to find what would keep it from starting
"""
