"""Hosts and target groups on paper: the real steps act on them, in a time that is not waited for.

Real are: surveys' values, plans, the executor, the rollout's policy and every step. Simulated are
a host's one connection, AWS, the clock and the crew. A command is one or more effects; before each
of them, and after the last, a fault may strike. What must never be is written into `World.wrongs`.

    story        the operator's commands in turn, then the end         in: Fleets, Commands
    ending       what a repair and the next deploy must make whole
    performance  one command, from its survey to its report
    judge        whether the report is honest and the hosts are whole
    stage        sees how proofs end
    run          session, lease, signals and screen of one command
    host         a host's connection; scripts: what each program does there
    api          target groups; floors: what must stay in service of them
    fate         what befalls a command; crew, turns: whose thread is next
    liars        a host that lies in its answers
    surveys      what is seen of the world
    world        every place, and what went wrong
    once_failed  stories in which something was wrong, and is no more
    controls     defects of the product that must be seen, so that each judgement can fail
    places, faults, builds, clock: the values that all of it is made of
"""
