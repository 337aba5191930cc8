// Provisioned objects and versions of rate decks.
#include "tandem/provision.hpp"

#include "capi/values.hpp"

using namespace tandem;
using namespace tandem::capi;

static_assert(TANDEM_PROVISION_STORING == static_cast<int>(ProvisionStep::storing));

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

std::string faults_json(const std::vector<ProvisionFault>& faults) {
  std::string json = "[";
  for (const ProvisionFault& fault : faults)
    json += (json.size() > 1 ? "," : "") + to_json(fault);
  return json + "]";
}

/// Where a change tells what became of it. Empty until then, so that a caller may destroy `faults`
/// whatever happens.
class Told {
 public:
  Told(tandem_provision_outcome* outcome, tandem_text** faults) noexcept
      : outcome_(outcome), faults_(faults) {
    if (faults_ != nullptr) *faults_ = nullptr;
  }
  [[nodiscard]] Result<void> check() const {
    if (outcome_ == nullptr) return {};
    return check_result_struct(outcome_, "tandem_provision_outcome");
  }
  int tell(const ProvisionOutcome& done) const {
    if (outcome_ != nullptr) {
      tandem_provision_outcome told = TANDEM_PROVISION_OUTCOME_INIT;
      told.created = done.created;
      told.replaced = done.replaced;
      told.removed = done.removed;
      write_struct(outcome_, told);
    }
    // Without memory for the text the change is what it is, and that is what the caller must know.
    if (faults_ != nullptr) (void)give(faults_json(done.faults), faults_);
    return finish(done);
  }

 private:
  tandem_provision_outcome* outcome_;
  tandem_text** faults_;
};

/// The objects of a caller's list of `count`.
template <class Take>
Result<void> read_objects(const tandem_provisioned_object* const* objects, std::size_t count,
                          const char* name, const Take& take) {
  if (count > 0 && objects == nullptr)
    return Error{ErrorCode::invalid_argument, std::string(name) + " was NULL with a count"};
  for (std::size_t i = 0; i < count; ++i) {
    const auto read = read_struct(objects[i], "tandem_provisioned_object");
    if (!read) return read.error();
    take(*read);
  }
  return {};
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

int tandem_switch_change_objects(tandem_switch* object, const tandem_provision_change* change,
                                 tandem_provision_outcome* outcome, tandem_text** faults) {
  return guarded([&]() -> int {
    const Told told(outcome, faults);
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_TRY(told.check());
    const auto read = read_struct(change, "tandem_provision_change");
    TANDEM_CAPI_TRY(read);
    ProvisionChange wanted;
    TANDEM_CAPI_TRY(read_objects(read->puts, read->puts_count, "puts",
                                 [&](const tandem_provisioned_object& put) {
                                   ProvisionedObject& one = wanted.puts.emplace_back();
                                   one.kind = copy(put.kind);
                                   one.id = copy(put.id);
                                   one.json = copy(put.json);
                                   if (put.rates != nullptr) one.rates = put.rates;
                                 }));
    TANDEM_CAPI_TRY(
        read_objects(read->removals, read->removals_count, "removals",
                     [&](const tandem_provisioned_object& removal) {
                       wanted.removals.push_back({copy(removal.kind), copy(removal.id)});
                     }));
    if (read->valid_from_us != 0) wanted.valid_from_us = read->valid_from_us;
    if (read->memo != nullptr) wanted.memo = read->memo;
    wanted.dry_run = read->dry_run != 0;
    return told.tell(object->body->provisioning().change(wanted));
  });
}

int tandem_switch_objects_csv(const tandem_switch* object, const char* kind, tandem_text** csv) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(csv);
    const auto objects = object->body->provisioning().objects(view(kind));
    TANDEM_CAPI_TRY(objects);
    return give(objects_to_csv(view(kind), *objects), csv);
  });
}

int tandem_switch_put_objects_csv(tandem_switch* object, const char* kind, const char* csv,
                                  int32_t dry_run, tandem_provision_outcome* outcome,
                                  tandem_text** faults) {
  return guarded([&]() -> int {
    const Told told(outcome, faults);
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(csv);
    TANDEM_CAPI_TRY(told.check());
    auto objects = objects_from_csv(view(kind), csv);
    TANDEM_CAPI_TRY(objects);
    ProvisionChange wanted;
    wanted.puts = std::move(*objects);
    wanted.dry_run = dry_run != 0;
    return told.tell(object->body->provisioning().change(wanted));
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

int tandem_switch_provision_progress(const tandem_switch* object, tandem_provision_progress* out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_TRY(check_result_struct(out, "tandem_provision_progress"));
    const ProvisionProgress progress = object->body->provisioning().progress();
    tandem_provision_progress result{};
    result.step = static_cast<int32_t>(progress.step);
    result.done_bytes = progress.done_bytes;
    result.total_bytes = progress.total_bytes;
    write_struct(out, result);
    return TANDEM_OK;
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
