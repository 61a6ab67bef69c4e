"""Writes own-prices.gen.json: what the npm release of genai-prices does not say yet.

Usage, in a virtual environment with `pip install genai-prices==0.2.3`, beside an unpacked wheel of litellm==1.109.1:
    python tools/prices/read-own-prices.py path/to/litellm/model_prices_and_context_window_backup.json YYYY-MM-DD known.json > own-prices.gen.json
`known.json` is what the npm release knows: `{provider id: {model id: entry}}` from its `waitForUpdate()`.
Both packages are MIT. Run by hand when their data moves; the build never needs Python.
"""

import dataclasses
import datetime
import json
import sys
from decimal import Decimal

from genai_prices.data import providers

PROVIDERS = ["anthropic", "deepseek", "google", "groq", "mistral", "openai", "x-ai"]
LITELLM_NAMES = {"google": "gemini/", "groq": "groq/", "mistral": "mistral/", "x-ai": "xai/", "deepseek": "deepseek/"}
TIERS = {"flex", "priority", "fast"}

litellm = json.load(open(sys.argv[1]))
dated = sys.argv[2]
known = json.load(open(sys.argv[3]))


def plain(value):
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else float(value)
    if isinstance(value, (datetime.date, datetime.time)):
        return str(value).replace("+00:00", "Z")
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) or hasattr(value, "__dict__"):
        fields = {key.rstrip("_"): plain(item) for key, item in value.__dict__.items() if item is not None and key[0] != "_"}
        if "start_date" in fields:
            fields["type"] = "start_date"
        if "start_time" in fields:
            fields["type"] = "time_of_date"
        return fields
    return value


def entry(model):
    prices = plain(model.prices)
    return {
        "id": model.id,
        "match": plain(model.match),
        **({"context_window": model.context_window} if model.context_window else {}),
        "prices": prices,
    }


def normal(prices):
    periods = prices if isinstance(prices, list) else [{"prices": prices}]
    return json.dumps([[period.get("constraint"), period["prices"]] for period in periods], sort_keys=True)


def is_listed(provider, model):
    """Google's Claude models are Vertex's, which this version does not serve."""
    return not (provider == "google" and "claude" in model.id)


def per_million(cost):
    return round(cost * 1e6, 9)


def litellm_entry(provider, model_id):
    for name in (LITELLM_NAMES.get(provider, "") + model_id, model_id):
        if name in litellm:
            return litellm[name]
    return {}


def litellm_tier(facts, tier):
    """Prices of a tier by litellm's field names; the long-context step where there is one."""
    names = {
        "input_mtok": "input_cost_per_token",
        "output_mtok": "output_cost_per_token",
        "cache_read_mtok": "cache_read_input_token_cost",
        "cache_write_mtok": "cache_creation_input_token_cost",
        "input_audio_mtok": "input_cost_per_audio_token",
        "cache_audio_read_mtok": "cache_read_input_audio_token_cost",
    }
    prices = {}
    for ours, theirs in names.items():
        base = facts.get(f"{theirs}_{tier}")
        if base is None:
            continue
        prices[ours] = per_million(base)
        for size in (200, 272):
            above = facts.get(f"{theirs}_above_{size}k_tokens_{tier}")
            if above is not None:
                prices[ours] = {"base": prices[ours], "tiers": [{"start": size * 1000, "price": per_million(above)}]}
    return prices if "input_mtok" in prices and "output_mtok" in prices else None


def base_of(price):
    return price["base"] if isinstance(price, dict) else price


def scaled(price, ratio):
    """A price times a ratio, step by step."""
    if isinstance(price, dict):
        steps = [{"start": step["start"], "price": round(step["price"] * ratio, 9)} for step in price["tiers"]]
        return {"base": round(price["base"] * ratio, 9), "tiers": steps}
    return round(price * ratio, 9)


def tier_periods(model_prices, tier_prices):
    """
    A tier that is priced for today only: on other days it stands to the standard price as it does today. Prices the tier
    does not name keep the ratio of the input price.
    """
    periods = model_prices if isinstance(model_prices, list) else [{"prices": model_prices}]
    starts = [period.get("constraint", {}).get("start_date", "") for period in periods]
    today = [period for period, start in zip(periods, starts) if start <= dated][-1]["prices"]
    result = []
    for period in periods:
        prices = {}
        for key, price in period["prices"].items():
            if not key.endswith("_mtok"):
                continue
            named = key in tier_prices and key in today and base_of(today[key]) > 0
            of = key if named else "input_mtok"
            ratio = base_of(tier_prices[of]) / base_of(today[of])
            is_today = named and period["prices"] is today and isinstance(tier_prices[key], dict)
            prices[key] = tier_prices[key] if is_today else scaled(price, ratio)
        constraint = {"constraint": period["constraint"]} if "constraint" in period else {}
        result.append({**constraint, "prices": prices})
    return result


# From the providers' own model pages, where litellm's list has left the model out.
OUTPUT_TOKENS = {
    "anthropic": {
        "claude-fable-5-2": 128000,
        "claude-mythos-5-2": 128000,
        "claude-opus-4-1": 32000,
        "claude-opus-4-0": 32000,
        "claude-sonnet-4-0": 64000,
        "claude-3-7-sonnet-latest": 64000,
        "claude-3-5-sonnet": 8192,
        "claude-3-5-haiku-latest": 8192,
        "claude-3-opus-latest": 4096,
        "claude-3-sonnet": 4096,
        "claude-3-haiku": 4096,
    },
    "openai": {
        "chatgpt-4o-latest": 16384,
        "gpt-4o-audio-preview": 16384,
        "gpt-4o-mini-audio-preview": 16384,
        "gpt-chat-latest": 128000,
        "gpt-5.3": 128000,
        "o1-mini": 65536,
        "o1-preview": 32768,
        "codex-mini": 100000,
        "gpt-oss-120b": 131072,
        "gpt-oss-20b": 131072,
    },
    "google": {"gemini-2.0-flash": 8192, "gemini-2.0-flash-lite": 8192, "gemini-3-pro-preview": 65536},
}

# Models that search before every answer: OpenAI's fee per call, from its pricing page (USD per thousand).
CALL_FEES = {"openai": {"gpt-4o-search-preview": 25, "gpt-4o-mini-search-preview": 25, "gpt-5-search-api": 10}}

models, tiers, output_tokens, regional = {}, {}, {}, {}
for provider in providers:
    if provider.id not in PROVIDERS:
        continue
    before = known.get(provider.id, {})
    for model in provider.models:
        if not is_listed(provider.id, model):
            continue
        new = entry(model)
        fee = CALL_FEES.get(provider.id, {}).get(model.id)
        if fee is not None:
            new["prices"] = {**new["prices"], "requests_kcount": fee}
            new["prices"].pop("web_searches_kcount", None)
        if model.id not in before or normal(before[model.id]["prices"]) != normal(new["prices"]):
            models.setdefault(provider.id, []).append(new)
        facts = litellm_entry(provider.id, model.id)
        if isinstance(facts.get("max_output_tokens"), int):
            output_tokens.setdefault(provider.id, {})[model.id] = facts["max_output_tokens"]
        elif model.id in OUTPUT_TOKENS.get(provider.id, {}):
            output_tokens.setdefault(provider.id, {})[model.id] = OUTPUT_TOKENS[provider.id][model.id]
        if "regional_processing_uplift_multiplier_eu" in facts:
            regional.setdefault(provider.id, []).append(model.id)
        own = {}
        for variant in model.price_variants or ():
            tier = variant.when.get("service_tier") or variant.when.get("speed") or variant.when.get("processing")
            prices = plain(variant.prices)
            if tier in ("default", "standard", None) or not prices:
                continue
            own.setdefault(tier, []).append(
                {**({"constraint": plain(variant.constraint)} if variant.constraint else {}), "prices": prices}
            )
        for tier in ("priority", "flex", "ultrafast"):
            prices = litellm_tier(facts, tier)
            if tier not in own and prices is not None:
                own[tier] = tier_periods(new["prices"], prices)
        for periods in own.values():
            periods.sort(key=lambda period: period.get("constraint", {}).get("start_date", ""))
        if own:
            tiers.setdefault(provider.id, {})[model.id] = own

result = {
    "dated": dated,
    "source": [
        "models: entries of the Python package genai-prices 0.2.3 (MIT, Pydantic) that the npm release 0.1.8 lacks or prices otherwise, as its data stood in November 2026.",
        "tiers: price_variants of the same package (OpenAI flex, priority and fast, verified there on 2026-10-12; batch on 2026-10-14; Anthropic fast mode), and where it has none, the priority, flex and ultrafast fields of the price list inside litellm 1.109.1 (MIT, BerriAI).",
        "outputTokens: max_output_tokens of that list, else the provider's own model page. regional: models with its regional_processing_uplift_multiplier (1.1 on OpenAI's eu and us endpoints).",
    ],
    "models": models,
    "tiers": tiers,
    "outputTokens": output_tokens,
    "regional": regional,
}


def lines(value, depth):
    if depth == 0 or not isinstance(value, (dict, list)) or not value:
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        body = ",\n".join(f"{json.dumps(key)}: {lines(item, depth - 1)}" for key, item in value.items())
        return "{\n" + body + "\n}"
    return "[\n" + ",\n".join(lines(item, depth - 1) for item in value) + "\n]"


print(lines(result, 3))
