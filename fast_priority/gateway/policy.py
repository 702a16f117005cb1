"""The policy of a gateway: made of its two files, and in words for the log."""

from fast_priority.scheduling.policy import PathStyle, Policy, policy_of
from fast_priority.settings import PREFIX, PolicyTexts, Settings, counted


def policy_from(settings: Settings, texts: PolicyTexts | None = None) -> Policy | None:
    """Return the policy of the files that the settings name; None if they name none.

    `texts` are those of the files, if they have been read. Raises ConfigurationError, with a line for each problem.
    """
    if settings.policy_file is None and settings.keys_file is None:
        return None
    style = PathStyle(settings.normalize_paths, settings.path_case)
    return policy_of(*(texts or settings.policy_texts()), settings.rules.priority_of, settings.given_levels, style)


def policy_in_words(policy: Policy, settings: Settings) -> str:
    """Return what the policy has, in one line, with what probably is not meant so."""
    rules = f"{counted(policy.number_of_rules, 'rule', 'rules')} of {settings.policy_file}"
    parts = [rules] if settings.policy_file is not None else []
    if policy.ring is not None:
        keys = counted(len(policy.ring.names), "key", "keys")
        without = "refused" if policy.ring.refuses_unknown else f"at most {policy.ring.keyless_highest}"
        parts.append(f"{keys} of {settings.keys_file}, without a known key {without}")
    if policy.for_proxies and not settings.trusted_proxies:
        parts.append(
            f"rule {policy.for_proxies[0]!r} counts for no request: it is for trusted proxies, and "
            f"{PREFIX}TRUSTED_PROXIES names none"
        )
    return "; ".join(parts)
