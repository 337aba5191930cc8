// Provisioned objects and versions of rate decks.
#include "tandem/provision.hpp"

#include "capi/values.hpp"

using namespace tandem;
using namespace tandem::capi;

namespace {

/// The first fault as the error of a function; how many more there are, too.
int finish(const ProvisionOutcome& outcome) {
  if (outcome.faults.empty()) return TANDEM_OK;
  const ProvisionFault& first = outcome.faults.front();
  std::string message =
      first.pointer.empty() ? first.message : first.pointer + ": " + first.message;
  if (outcome.faults.size() > 1)
    message += " (and " + std::to_string(outcome.faults.size() - 1) + " more)";
  return fail(first.code, message);
}

}  // namespace

extern "C" {

int tandem_switch_objects(const tandem_switch* object, const char* kind, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json);
    const auto objects = object->body->provisioning().objects(view(kind));
    TANDEM_CAPI_TRY(objects);
    std::string text = "[";
    for (const ProvisionedObject& found : *objects)
      text += (text.size() > 1 ? "," : "") + found.json;
    return give(text + "]", json);
  });
}

int tandem_switch_object(const tandem_switch* object, const char* kind, const char* id,
                         tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json);
    auto found = object->body->provisioning().object(view(kind), view(id));
    TANDEM_CAPI_TRY(found);
    return give(std::move(found->json), json);
  });
}

int tandem_switch_put_object(tandem_switch* object, const char* kind, const char* id,
                             const char* json, int32_t* created) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json);
    ProvisionChange change;
    change.puts.push_back({copy(kind), copy(id), json, std::nullopt});
    const ProvisionOutcome outcome = object->body->provisioning().change(change);
    if (created != nullptr) *created = outcome.created != 0 ? 1 : 0;
    return finish(outcome);
  });
}

int tandem_switch_remove_object(tandem_switch* object, const char* kind, const char* id) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    ProvisionChange change;
    change.removals.push_back({copy(kind), copy(id)});
    return finish(object->body->provisioning().change(change));
  });
}

int tandem_switch_rates_csv(const tandem_switch* object, const char* deck, tandem_text** csv) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(csv);
    return give(object->body->provisioning().rates_csv(view(deck)), csv);
  });
}

int tandem_switch_put_rates(tandem_switch* object, const char* deck, const char* csv,
                            int64_t valid_from_us, const char* memo) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(deck);
    TANDEM_CAPI_NOT_NULL(csv);
    ProvisionChange change;
    change.puts.push_back({"rate_decks", deck, "", csv});
    if (valid_from_us != 0) change.valid_from_us = valid_from_us;
    if (memo != nullptr) change.memo = memo;
    return finish(object->body->provisioning().change(change));
  });
}

int tandem_switch_deck_versions(const tandem_switch* object, const char* deck, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json);
    const auto versions = object->body->provisioning().deck_versions(view(deck));
    TANDEM_CAPI_TRY(versions);
    return give(json_array(*versions), json);
  });
}

int tandem_switch_roll_back_deck(tandem_switch* object, const char* deck, uint64_t number) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_TRY(object->body->provisioning().roll_back_deck(
        view(deck), number == 0 ? std::nullopt : std::optional<std::uint64_t>(number)));
    return TANDEM_OK;
  });
}

int tandem_switch_schedule_deck(tandem_switch* object, const char* deck, uint64_t number,
                                int64_t at_us) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_TRY(object->body->provisioning().schedule_deck(
        view(deck), number, at_us == 0 ? std::nullopt : std::optional<std::int64_t>(at_us)));
    return TANDEM_OK;
  });
}

int tandem_switch_deck_diff(const tandem_switch* object, const char* deck, uint64_t from,
                            uint64_t to, size_t rows_max, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json);
    return give(object->body->provisioning().deck_diff(view(deck), from, to, rows_max), json);
  });
}

}  // extern "C"
