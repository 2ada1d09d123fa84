"""Bringing a secure broker's users and rules to what ``infra.security.acl`` says."""

from __future__ import annotations

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from features.base import private_files
from features.base.settings import ADMIN, Settings
from infra.security import acl
from streams.kafka.clients import admin

_TIMEOUT_S = 30.0
_ITERATIONS = 8192
_KINDS = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional_id": ResourceType.TRANSACTIONAL_ID,
}


def apply(settings: Settings) -> int:
    """Set every user's password to what its file holds, and the rules to the table's; return how many rules changed.

    A rule that somebody else made for one of our users is taken away; other users' stay. Raises KafkaException.
    """
    asked = admin(settings.as_user(ADMIN))
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _ITERATIONS)
    passwords = {user: private_files.password(settings.secrets / "kafka" / user) for user in acl.USERS}
    changes = [UserScramCredentialUpsertion(user, info, password.encode()) for user, password in passwords.items()]
    for done in asked.alter_user_scram_credentials(changes, request_timeout=_TIMEOUT_S).values():
        done.result()
    wanted = {_binding(rule) for rule in acl.rules()}
    anything = AclBindingFilter(
        ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
    )
    ours = {f"User:{user}" for user in acl.USERS}
    existing = {
        binding for binding in asked.describe_acls(anything, request_timeout=_TIMEOUT_S).result() if binding.principal in ours
    }
    missing, stale = list(wanted - existing), list(existing - wanted)
    for made in asked.create_acls(missing, request_timeout=_TIMEOUT_S).values() if missing else ():
        made.result()
    for gone in asked.delete_acls([_exactly(binding) for binding in stale], request_timeout=_TIMEOUT_S).values() if stale else ():
        gone.result()
    return len(missing) + len(stale)


def _binding(rule: acl.Rule) -> AclBinding:
    return AclBinding(
        _KINDS[rule.kind],
        rule.name,
        ResourcePatternType.PREFIXED if rule.prefixed else ResourcePatternType.LITERAL,
        f"User:{rule.user}",
        "*",
        AclOperation[rule.operation.upper()],
        AclPermissionType.ALLOW,
    )


def _exactly(binding: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        binding.restype,
        binding.name,
        binding.resource_pattern_type,
        binding.principal,
        binding.host,
        binding.operation,
        binding.permission_type,
    )
