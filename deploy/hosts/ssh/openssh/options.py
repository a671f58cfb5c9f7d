"""The options of an ssh configuration for one name. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DECIDING = frozenset(
    {
        "addressfamily",
        "bindaddress",
        "bindinterface",
        "canonicalizehostname",
        "certificatefile",
        "globalknownhostsfile",
        "hostkeyalias",
        "hostname",
        "identitiesonly",
        "identityagent",
        "identityfile",
        "knownhostscommand",
        "pkcs11provider",
        "port",
        "proxycommand",
        "proxyjump",
        "proxyusefdpass",
        "revokedhostkeys",
        "user",
        "userknownhostsfile",
    }
)
"""What decides machine, user, path, key and host key; all other options are passed over."""

LISTS = frozenset({"userknownhostsfile", "globalknownhostsfile"})
"""Options with several words; all other deciding ones have one."""
COMMANDS = frozenset({"proxycommand", "knownhostscommand", "proxyjump"})
"""Options whose value is the rest of the line, as it is."""

BLOCKS = frozenset({"host", "match", "include", "ignoreunknown"})
_OTHERS = frozenset(
    """
    addkeystoagent afstokenpassing batchmode canonicaldomains canonicalizefallbacklocal
    canonicalizemaxdots canonicalizepermittedcnames casignaturealgorithms
    challengeresponseauthentication channeltimeout checkhostip cipher ciphers clearallforwardings
    compression compressionlevel connectionattempts connecttimeout controlmaster controlpath
    controlpersist dsaauthentication dynamicforward enableescapecommandline enablesshkeysign
    escapechar exitonforwardfailure fallbacktorsh fingerprinthash forkafterauthentication
    forwardagent forwardx11 forwardx11timeout forwardx11trusted gatewayports
    globalknownhostsfile2 gssapiauthentication gssapiclientidentity gssapidelegatecredentials
    gssapikexalgorithms gssapikeyexchange gssapirenewalforcesrekey gssapiserveridentity
    gssapitrustdns hashknownhosts hostbasedacceptedalgorithms hostbasedauthentication
    hostbasedkeytypes hostkeyalgorithms identityfile2 ipqos kbdinteractiveauthentication
    kbdinteractivedevices keepalive kerberosauthentication kerberostgtpassing kexalgorithms
    localcommand localforward loglevel logverbose macs nohostauthenticationforlocalhost
    numberofpasswordprompts obscurekeystroketiming passwordauthentication permitlocalcommand
    permitremoteopen preferredauthentications protocol pubkeyacceptedalgorithms
    pubkeyacceptedkeytypes pubkeyauthentication refuseconnection rekeylimit remotecommand
    remoteforward requesttty requiredrsasize rhostsauthentication
    rhostsrsaauthentication rsaauthentication securitykeyprovider sendenv serveralivecountmax
    serveraliveinterval sessiontype setenv skeyauthentication smartcarddevice stdinnull
    streamlocalbindmask streamlocalbindunlink stricthostkeychecking syslogfacility tag
    tcpkeepalive tisauthentication tunnel tunneldevice updatehostkeys useblacklistedkeys
    usekeychain useprivilegedport useroaming userknownhostsfile2 usersh versionaddendum
    verifyhostkeydns visualhostkey warnweakcrypto xauthlocation
    """.split()  # noqa: SIM905 - a hundred words in quotes would be a page
)
KEYWORDS = DECIDING | BLOCKS | _OTHERS
"""The keywords of OpenSSH 10, those it calls deprecated, and Apple's; ssh refuses any other."""


@dataclass(frozen=True)
class Place:
    """Where an option is set.

    Attributes:
        line: File and number, `~/.ssh/config:7`.
        block: The block's first line, `Host web-*`; empty for one above all blocks.
        order: The how manieth of all lines that were read.
        excluded: The patterns that the block excludes.
    """

    line: str
    block: str = ""
    order: int = 0
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What applies to one name.

    Attributes:
        name: As it was typed.
        values: For each deciding option its values, as the configuration has them; one that is
            not set is absent, and so is a proxy that is `none`.
        places: Where each is set, if the configuration was read here.
    """

    name: str
    values: Mapping[str, tuple[str, ...]]
    places: Mapping[str, Place] = field(default_factory=dict)

    def one(self, option: str, default: str = "") -> str:
        """An option's value, or its first."""
        return self.values.get(option, (default,))[0]

    @property
    def host(self) -> str:
        """The machine: HostName, or the name."""
        return self.one("hostname", self.name)

    def where(self, option: str) -> str:
        """Where an option is set, for a message."""
        place = self.places.get(option)
        return place.line if place else "your ssh configuration"
