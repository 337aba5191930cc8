#include "switch/provisioning.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <thread>

#include "base/parallel.hpp"
#include "base/text.hpp"
#include "cdr/disk.hpp"
#include "switch/config_check.hpp"
#include "switch/provision_kinds_json.hpp"

namespace tandem {

namespace {

constexpr const char* decks_kind = "rate_decks";
constexpr std::size_t planned_versions_max = 8;  // of one deck

const RateDeckConfig* find_deck(const Provision& provision, std::string_view id) {
  const auto found = std::find_if(provision.rate_decks.begin(), provision.rate_decks.end(),
                                  [&](const RateDeckConfig& deck) { return deck.id == id; });
  return found == provision.rate_decks.end() ? nullptr : &*found;
}

/// Threads that may read decks at a time. Each holds a deck's text and its rates.
unsigned reading_threads() noexcept {
  return std::clamp(std::thread::hardware_concurrency(), 1u, 4u);
}

Error no_deck(std::string_view id) {
  return {ErrorCode::not_found, "no rate deck \"" + std::string(id) + "\""};
}

const std::string* find_document(const Provision& provision, std::string_view kind,
                                 std::string_view id) {
  const auto list = provision.documents.find(kind);
  if (list == provision.documents.end()) return nullptr;
  const auto found = list->second.find(id);
  return found == list->second.end() ? nullptr : &found->second;
}

/// Prices of one currency would be others in another one.
bool is_in_currency_of(const RateDeckConfig& deck, const std::string& of_version) {
  return of_version.empty() || of_version == deck.currency;
}

ProvisionStore::NewVersion make_version(const RateDeck& deck, std::string memo,
                                        std::int64_t now_us) {
  ProvisionStore::NewVersion made;
  made.deck = deck.id();
  made.csv = to_csv(deck);
  made.currency = deck.currency();
  made.version.digest = digest_of_text(made.csv);
  made.version.rows = deck.size();
  made.version.memo = std::move(memo);
  made.version.made_at_us = now_us;
  made.version.activated_at_us = now_us;
  made.version.is_active = true;
  return made;
}

}  // namespace

Result<RateDeck> build_deck(const RateDeckConfig& config) {
  if (config.built) return *config.built;
  RateDeck::Builder builder(config.id, config.currency);
  for (std::size_t i = 0; i < config.rates.size(); ++i) {
    if (auto added = builder.add(config.rates[i]); !added) {
      return Error{added.error().code, "rate deck \"" + config.id + "\": rate " +
                                           std::to_string(i) + ": " + added.error().message};
    }
  }
  return builder.build();
}

Result<void> freeze_decks(std::vector<RateDeckConfig>& decks) {
  std::vector<Result<void>> frozen(decks.size());
  for_each_piece(decks.size(), reading_threads(), "tandem-decks", [&](std::size_t i) {
    auto built = build_deck(decks[i]);
    if (!built) {
      frozen[i] = std::move(built).error();
      return;
    }
    decks[i].built = std::move(*built);
    decks[i].rates = {};
  });
  for (Result<void>& one : frozen) {
    if (!one) return std::move(one);
  }
  return {};
}

namespace {

/// The version that is active in `store` once those are whose time came by `until_us`, which
/// `batch` gets.
Result<std::uint64_t> active_version(ProvisionStore& store, const RateDeckConfig& deck,
                                     const std::vector<DeckVersion>& versions,
                                     std::int64_t until_us, std::int64_t now_us,
                                     ProvisionStore::Batch& batch) {
  std::uint64_t active = 0;
  std::vector<std::pair<std::int64_t, std::uint64_t>> due;  // time and number
  for (const DeckVersion& version : versions) {
    if (version.is_active) active = version.number;
    if (version.due_at_us != 0 && version.due_at_us <= until_us)
      due.emplace_back(version.due_at_us, version.number);
  }
  std::sort(due.begin(), due.end());
  for (const auto& [at_us, number] : due) {
    auto currency = store.currency(deck.id, number);
    if (!currency) return std::move(currency).error();
    if (is_in_currency_of(deck, *currency)) {
      batch.activations.push_back({deck.id, number, now_us});
      active = number;
    } else {
      batch.plans.push_back({deck.id, number, 0});
    }
  }
  return active;
}

/// A deck whose rates shall come from a stored version.
struct Taking {
  RateDeckConfig* deck;
  DeckVersion version;
};

/// The one of that number; when it is not there, one that has nothing but the number.
DeckVersion version_of(const std::vector<DeckVersion>& versions, std::uint64_t number) {
  for (const DeckVersion& version : versions) {
    if (version.number == number) return version;
  }
  DeckVersion unknown;
  unknown.number = number;
  return unknown;
}

/// Several decks at a time, because a switch with ten million rates starts only when it has them.
Result<void> take_rates(DeckSource& source, const std::vector<Taking>& wanted) {
  std::vector<Result<void>> taken(wanted.size());
  for_each_piece(wanted.size(), reading_threads(), "tandem-decks", [&](std::size_t i) {
    const auto& [deck, version] = wanted[i];
    auto built = source.read(deck->id, deck->currency, version);
    if (!built) {
      taken[i] = std::move(built).error();
      return;
    }
    deck->built = std::move(*built);
    deck->rates = {};
  });
  for (Result<void>& one : taken) {
    if (!one) return std::move(one);
  }
  return {};
}

/// Makes the rates of the file active, whatever was planned until then.
Result<void> activate_file(ProvisionStore& store, const RateDeckConfig& deck,
                           const std::vector<DeckVersion>& versions,
                           ProvisionStore::NewVersion of_file, std::int64_t until_us,
                           ProvisionStore::Batch& batch) {
  batch.file_decks.push_back({deck.id, of_file.version.digest});
  const DeckVersion* same = nullptr;
  for (const DeckVersion& version : versions) {
    if (version.due_at_us != 0 && version.due_at_us <= until_us)
      batch.plans.push_back({deck.id, version.number, 0});
    if (same != nullptr || version.digest != of_file.version.digest) continue;
    auto currency = store.currency(deck.id, version.number);
    if (!currency) return std::move(currency).error();
    if (is_in_currency_of(deck, *currency)) same = &version;
  }
  if (same == nullptr) {
    batch.versions.push_back(std::move(of_file));
  } else if (!same->is_active) {
    batch.activations.push_back({deck.id, same->number, of_file.version.activated_at_us});
  }
  return {};
}

}  // namespace

Result<void> lay_decks(DeckSource& source, std::vector<RateDeckConfig>& decks,
                       std::int64_t until_us, std::int64_t now_us, ProvisionStore::Batch& batch) {
  ProvisionStore& store = source.store();
  std::vector<Taking> takings;
  for (RateDeckConfig& deck : decks) {
    auto versions = store.versions(deck.id);
    if (!versions) return std::move(versions).error();
    if (versions->empty()) continue;
    auto built = build_deck(deck);
    if (!built) return std::move(built).error();
    auto of_file = make_version(*built, "from the configuration file", now_us);
    auto digest_before = store.file_digest(deck.id);
    if (!digest_before) return std::move(digest_before).error();
    ProvisionStore::Batch overdue;
    auto active = active_version(store, deck, *versions, until_us, now_us, overdue);
    if (!active) return std::move(active).error();
    auto currency = store.currency(deck.id, *active);
    if (!currency) return std::move(currency).error();
    if (*digest_before != of_file.version.digest || !is_in_currency_of(deck, *currency)) {
      auto done = activate_file(store, deck, *versions, std::move(of_file), until_us, batch);
      if (!done) return done;
      continue;
    }
    takings.push_back({&deck, version_of(*versions, *active)});
    for (auto& change : overdue.activations)
      batch.activations.push_back(std::move(change));
    for (auto& change : overdue.plans)
      batch.plans.push_back(std::move(change));
  }
  return take_rates(source, takings);
}

Result<Beginning> begin_with_stored(DeckSource& source, SwitchConfig file, std::int64_t now_us) {
  ProvisionStore& store = source.store();
  auto objects = store.objects();
  if (!objects) return std::move(objects).error();
  Provision stored;
  for (const ProvisionedObject& object : *objects) {
    if (auto read = read_stored_object(object, file.folder, stored); !read)
      return std::move(read).error();
  }
  Beginning beginning;
  std::vector<Taking> takings;
  for (RateDeckConfig& deck : stored.rate_decks) {
    if (find_deck(file.provision, deck.id) != nullptr) continue;  // replaced below
    auto versions = store.versions(deck.id);
    if (!versions) return std::move(versions).error();
    if (versions->empty()) continue;
    auto active = active_version(store, deck, *versions, now_us, now_us, beginning.batch);
    if (!active) return std::move(active).error();
    takings.push_back({&deck, version_of(*versions, *active)});
  }
  if (auto taken = take_rates(source, takings); !taken) return std::move(taken).error();
  if (auto frozen = freeze_decks(stored.rate_decks); !frozen) return std::move(frozen).error();
  auto& decks = file.provision.rate_decks;
  if (auto frozen = freeze_decks(decks); !frozen) return std::move(frozen).error();
  if (auto laid = lay_decks(source, decks, now_us, now_us, beginning.batch); !laid)
    return std::move(laid).error();
  config::upsert(stored, file.provision);
  beginning.config = std::move(file);
  beginning.config.provision = std::move(stored);
  std::vector<ConfigError> errors;
  check_config(beginning.config, errors);
  if (errors.empty()) return beginning;
  return Error{ErrorCode::invalid_argument,
               "what is stored does not fit to the file: " + errors.front().pointer + ": " +
                   errors.front().message};
}

// --- changes ---

Provisioning::Body::Body(ProvisionHost& host, std::shared_ptr<DeckSource> source)
    : host_(host), source_(std::move(source)) {}

Provisioning::Body::Body(std::unique_ptr<ProvisionHost> host, std::shared_ptr<DeckSource> source)
    : owned_(std::move(host)), host_(*owned_), source_(std::move(source)) {}

namespace {

/// One change on its way: what it makes of the configuration and of the database.
class Draft {
 public:
  Draft(const ProvisionChange& change, ProvisionHost& host, ProvisionStore& store,
        ProgressGauge& progress)
      : change_(change),
        host_(host),
        store_(store),
        progress_(progress),
        now_us_(host.wall_us()),
        config_(host.config_in_force()) {}

  void make() {
    const SwitchConfig before = config_;
    Provision update;
    read_puts(change_, before, update, names_, outcome_.faults,
              [this](std::uint64_t bytes) { progress_.set_done(bytes); });
    if (!outcome_.faults.empty()) return;
    progress_.enter(ProvisionStep::building);
    for (std::size_t i = 0; i < names_.size(); ++i)
      indexes_.emplace(std::pair(names_[i].kind, names_[i].id), i);
    check_currencies(update);
    put_decks(before.provision, update);
    if (!outcome_.faults.empty()) return;
    count(before.provision);
    config::upsert(config_.provision, update);
    store_documents(update);
    remove();
    if (!outcome_.faults.empty()) return;
    std::vector<ConfigError> errors;
    check_config(config_, errors);
    check_moved_phones(before, config_, errors);
    for (ConfigError& error : errors)
      blame(std::move(error));
  }

  [[nodiscard]] ProvisionOutcome& outcome() noexcept { return outcome_; }
  [[nodiscard]] SwitchConfig& config() noexcept { return config_; }
  [[nodiscard]] const ProvisionStore::Batch& batch() const noexcept { return batch_; }

 private:
  void fault(ErrorCode code, std::size_t index, std::string pointer, std::string message) {
    outcome_.faults.push_back({code, index, std::move(pointer), std::move(message)});
  }

  void count(const Provision& before) {
    std::map<std::string, std::set<std::string_view>> known;
    for (const ObjectName& name : names_) {
      auto [ids, is_new] = known.try_emplace(name.kind);
      const config::ProvisionKind* kind = config::find_provision_kind(name.kind);
      for (std::size_t i = 0; is_new && i < kind->size(before); ++i)
        ids->second.insert(kind->id_at(before, i));
      ++(ids->second.contains(name.id) ? outcome_.replaced : outcome_.created);
    }
  }

  void check_currencies(const Provision& update) {
    for (const AccountConfig& account : update.accounts) {
      const std::string currency = host_.account_currency(account.id);
      if (currency.empty() || currency == account.currency) continue;
      fault(ErrorCode::invalid_argument, indexes_.at({"accounts", account.id}), "/currency",
            "account \"" + account.id + "\" is in " + currency + " and cannot become one in " +
                account.currency);
    }
  }

  /// Versions of the decks that are put. One that is planned leaves `update`, because nothing
  /// changes yet.
  void put_decks(const Provision& before, Provision& update) {
    const bool is_planned = change_.valid_from_us && *change_.valid_from_us > now_us_;
    for (RateDeckConfig& deck : update.rate_decks) {
      const std::size_t index = indexes_.at({decks_kind, deck.id});
      auto built = build_deck(deck);
      if (!built) {
        fault(built.error().code, index, pointer_to_bad_rate(deck), built.error().message);
        continue;
      }
      deck.built = *built;
      deck.rates = {};
      auto versions = store_.versions(deck.id);
      if (!versions) {
        fault(versions.error().code, index, "", versions.error().message);
        continue;
      }
      const RateDeckConfig* old = find_deck(before, deck.id);
      if (versions->empty() && old != nullptr) {
        // So that there is something to go back to. Of the file: what is put here has versions.
        auto first = build_deck(*old);
        if (first) {
          batch_.versions.push_back(make_version(*first, "before the first change", now_us_));
          batch_.file_decks.push_back({deck.id, batch_.versions.back().version.digest});
        }
      }
      const std::string memo =
          change_.memo.value_or(memo_of(update.documents[decks_kind][deck.id]));
      auto made = make_version(*built, memo, now_us_);
      if (is_planned) {
        plan(std::move(made), index, *versions, old);
      } else if (old == nullptr || old->currency != deck.currency ||
                 (versions->empty() ? made.csv != batch_.versions.back().csv
                                    : !is_active(*versions, made.version.digest))) {
        batch_.versions.push_back(std::move(made));
      }
    }
    if (is_planned) {
      for (const ObjectName& name : names_) {
        if (name.kind != decks_kind) {
          fault(ErrorCode::invalid_argument, indexes_.at({name.kind, name.id}), "",
                "only rate decks can be put for a later time");
        }
      }
      update = {};
    }
  }

  static std::string pointer_to_bad_rate(const RateDeckConfig& deck) {
    RateDeck::Builder builder(deck.id, deck.currency);
    for (std::size_t i = 0; i < deck.rates.size(); ++i) {
      if (!builder.add(deck.rates[i])) return "/rates/" + std::to_string(i) + "/prefix";
    }
    return "/rates";
  }

  static bool is_active(const std::vector<DeckVersion>& versions, const std::string& digest) {
    return std::any_of(versions.begin(), versions.end(), [&](const DeckVersion& version) {
      return version.is_active && version.digest == digest;
    });
  }

  void plan(ProvisionStore::NewVersion made, std::size_t index,
            const std::vector<DeckVersion>& versions, const RateDeckConfig* old) {
    if (old == nullptr) {
      fault(ErrorCode::invalid_argument, index, "",
            "a deck that is not there yet cannot be put for a later time");
      return;
    }
    if (made.currency != old->currency) {
      fault(ErrorCode::invalid_argument, index, "/currency",
            "a planned version has the currency of its deck, " + old->currency + ", and not " +
                made.currency);
      return;
    }
    const auto planned = std::count_if(versions.begin(), versions.end(),
                                       [](const DeckVersion& v) { return v.due_at_us != 0; });
    if (planned >= static_cast<std::ptrdiff_t>(planned_versions_max)) {
      fault(ErrorCode::limit, index, "",
            std::to_string(planned_versions_max) + " versions of the deck are planned already");
      return;
    }
    made.version.is_active = false;
    made.version.activated_at_us = 0;
    made.version.due_at_us = *change_.valid_from_us;
    batch_.versions.push_back(std::move(made));
  }

  void store_documents(const Provision& update) {
    for (const auto& [kind, documents] : update.documents) {
      for (const auto& [id, json] : documents)
        batch_.puts.push_back({kind, id, json, std::nullopt});
    }
  }

  void remove() {
    std::size_t index = names_.size();
    for (const ObjectName& name : change_.removals) {
      const config::ProvisionKind* kind = config::find_provision_kind(name.kind);
      if (kind == nullptr || !kind->erase(config_.provision, name.id)) {
        fault(ErrorCode::not_found, index, "", "no object \"" + name.id + "\" in " + name.kind);
      }
      if (const auto list = config_.provision.documents.find(name.kind);
          list != config_.provision.documents.end())
        list->second.erase(name.id);
      batch_.removals.push_back(name);
      ++outcome_.removed;
      ++index;
    }
  }

  /// Finds whose fault a broken rule is: of an object that was put, or of one that is left behind.
  void blame(ConfigError error) {
    // "/provision/KIND/INDEX" and the rest
    std::string_view rest = error.pointer;
    std::string where = error.pointer;
    if (rest.starts_with("/provision/")) {
      rest.remove_prefix(11);
      const auto slash = rest.find('/');
      const std::string_view kind_name = rest.substr(0, slash);
      rest.remove_prefix(std::min(kind_name.size() + 1, rest.size()));
      const auto end = std::min(rest.find('/'), rest.size());
      const config::ProvisionKind* kind = config::find_provision_kind(kind_name);
      const auto position = parse_integer<std::size_t>(std::string(rest.substr(0, end)));
      if (kind != nullptr && position && *position < kind->size(config_.provision)) {
        const std::string& id = kind->id_at(config_.provision, *position);
        rest.remove_prefix(end);
        if (const auto put = indexes_.find({kind->name, id}); put != indexes_.end()) {
          fault(ErrorCode::invalid_argument, put->second, std::string(rest), error.message);
          return;
        }
        where = std::string(kind->name) + " \"" + id + "\"" +
                (rest.empty() ? "" : " at " + std::string(rest));
      }
    }
    fault(ErrorCode::wrong_state, change_.removals.empty() ? 0 : names_.size(), "",
          where + " would be wrong: " + error.message);
  }

  const ProvisionChange& change_;
  ProvisionHost& host_;
  ProvisionStore& store_;
  ProgressGauge& progress_;
  const std::int64_t now_us_;
  SwitchConfig config_;
  std::vector<ObjectName> names_;  // of the puts
  std::map<std::pair<std::string, std::string>, std::size_t> indexes_;
  ProvisionOutcome outcome_;
  ProvisionStore::Batch batch_;
};

bool touches_decks(const ProvisionChange& change) {
  const auto is_deck = [](const auto& object) { return object.kind == decks_kind; };
  return std::any_of(change.puts.begin(), change.puts.end(), is_deck) ||
         std::any_of(change.removals.begin(), change.removals.end(), is_deck);
}

}  // namespace

ProvisionOutcome Provisioning::Body::change(const ProvisionChange& change) {
  const auto lock = exclusive();
  progress_.begin(csv_bytes(change));
  const auto end = [](ProgressGauge* gauge) noexcept { gauge->end(); };
  const std::unique_ptr<ProgressGauge, decltype(end)> until_the_end(&progress_, end);
  Draft draft(change, host_, store(), progress_);
  draft.make();
  ProvisionOutcome& outcome = draft.outcome();
  if (!outcome.faults.empty() || change.dry_run) return std::move(outcome);
  progress_.enter(ProvisionStep::tables);
  const auto done = host_.install(std::move(draft.config()), [&] {
    progress_.enter(ProvisionStep::storing);
    return store().write(draft.batch());
  });
  if (!done) outcome.faults.push_back({done.error().code, 0, "", done.error().message});
  next_due_us_.store(0);
  if (touches_decks(change)) note_changed_decks();
  return std::move(outcome);
}

// --- questions ---

Result<std::vector<ProvisionedObject>> Provisioning::Body::objects(
    std::string_view kind_name) const {
  const config::ProvisionKind* kind = config::find_provision_kind(kind_name);
  if (kind == nullptr)
    return Error{ErrorCode::not_found, "no list \"" + std::string(kind_name) + "\""};
  const Provision provision = host_.config_in_force().provision;
  std::vector<ProvisionedObject> found;
  for (std::size_t i = 0; i < kind->size(provision); ++i) {
    const std::string& id = kind->id_at(provision, i);
    const std::string* json = find_document(provision, kind->name, id);
    found.push_back({kind->name, id, json != nullptr ? *json : id_only_json(id), std::nullopt});
    if (found.back().kind != decks_kind) continue;
    const RateDeckConfig& deck = provision.rate_decks[i];
    found.back().json =
        with_row_count(found.back().json, deck.built ? deck.built->size() : deck.rates.size());
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return found;
}

Result<ProvisionedObject> Provisioning::Body::object(std::string_view kind_name,
                                                     std::string_view id) const {
  const config::ProvisionKind* kind = config::find_provision_kind(kind_name);
  if (kind == nullptr)
    return Error{ErrorCode::not_found, "no list \"" + std::string(kind_name) + "\""};
  const Provision provision = host_.config_in_force().provision;
  for (std::size_t i = 0; i < kind->size(provision); ++i) {
    if (kind->id_at(provision, i) != id) continue;
    const std::string* json = find_document(provision, kind->name, id);
    ProvisionedObject found{kind->name, std::string(id), json != nullptr ? *json : id_only_json(id),
                            std::nullopt};
    if (found.kind == decks_kind) {
      auto built = build_deck(*find_deck(provision, id));
      if (!built) return std::move(built).error();
      found.json = with_rates(found.json, *built);
    }
    return found;
  }
  return Error{ErrorCode::not_found,
               "no object \"" + std::string(id) + "\" in " + std::string(kind_name)};
}

Result<RateDeck> Provisioning::Body::deck(std::string_view id) const {
  const SwitchConfig config = host_.config_in_force();
  const RateDeckConfig* found = find_deck(config.provision, id);
  if (found == nullptr) return no_deck(id);
  return build_deck(*found);
}

// --- versions of decks ---

Result<std::vector<DeckVersion>> Provisioning::Body::deck_versions(std::string_view deck) const {
  if (find_deck(host_.config_in_force().provision, deck) == nullptr) return no_deck(deck);
  return store().versions(deck);
}

Result<DeckVersion> Provisioning::Body::version(std::string_view deck, std::uint64_t number) const {
  auto versions = deck_versions(deck);
  if (!versions) return std::move(versions).error();
  for (DeckVersion& version : *versions) {
    if (version.number == number) return std::move(version);
  }
  return Error{ErrorCode::not_found,
               "rate deck \"" + std::string(deck) + "\" has no version " + std::to_string(number)};
}

Result<void> Provisioning::Body::check_currency(const RateDeckConfig& deck,
                                                std::uint64_t number) const {
  auto currency = store().currency(deck.id, number);
  if (!currency) return std::move(currency).error();
  if (is_in_currency_of(deck, *currency)) return {};
  return Error{ErrorCode::wrong_state, "version " + std::to_string(number) + " has prices in " +
                                           *currency + ", rate deck \"" + deck.id + "\" is in " +
                                           deck.currency};
}

Result<RateDeck> Provisioning::Body::deck_at(std::string_view deck, std::uint64_t number) const {
  auto known = version(deck, number);
  if (!known) return std::move(known).error();
  const SwitchConfig config = host_.config_in_force();
  const RateDeckConfig* const in_force = find_deck(config.provision, deck);
  return source_->read(std::string(deck), in_force == nullptr ? std::string() : in_force->currency,
                       *known);
}

/// REQUIRES: exclusive().
Result<void> Provisioning::Body::activate(const std::string& deck, std::uint64_t number) {
  SwitchConfig config = host_.config_in_force();
  const auto place =
      std::find_if(config.provision.rate_decks.begin(), config.provision.rate_decks.end(),
                   [&](const RateDeckConfig& known) { return known.id == deck; });
  if (place == config.provision.rate_decks.end()) return no_deck(deck);
  if (auto checked = check_currency(*place, number); !checked) return checked;
  auto versions = store().versions(deck);
  if (!versions) return std::move(versions).error();
  if (auto taken = take_rates(*source_, {{&*place, version_of(*versions, number)}}); !taken)
    return taken;
  ProvisionStore::Batch batch;
  batch.activations.push_back({deck, number, host_.wall_us()});
  auto done = host_.install(std::move(config), [&] { return store().write(batch); });
  note_changed_decks();
  return done;
}

Result<DeckVersion> Provisioning::Body::roll_back_deck(std::string_view deck,
                                                       std::optional<std::uint64_t> number) {
  const auto lock = exclusive();
  if (!number) {
    auto versions = deck_versions(deck);
    if (!versions) return std::move(versions).error();
    bool is_behind = false;
    for (const DeckVersion& version : *versions) {
      if (is_behind && version.activated_at_us != 0) {
        number = version.number;
        break;
      }
      is_behind = is_behind || version.is_active;
    }
    if (!number) {
      return Error{ErrorCode::not_found,
                   "rate deck \"" + std::string(deck) + "\" has no earlier version"};
    }
  }
  if (auto known = version(deck, *number); !known) return known;
  if (auto done = activate(std::string(deck), *number); !done) return std::move(done).error();
  return version(deck, *number);
}

Result<DeckVersion> Provisioning::Body::schedule_deck(std::string_view deck, std::uint64_t number,
                                                      std::optional<std::int64_t> at_us) {
  const auto lock = exclusive();
  auto known = version(deck, number);
  if (!known) return known;
  if (known->is_active) {
    return Error{ErrorCode::wrong_state, "version " + std::to_string(number) + " is active"};
  }
  if (at_us && *at_us <= host_.wall_us()) {
    if (auto done = activate(std::string(deck), number); !done) return std::move(done).error();
  } else {
    const SwitchConfig config = host_.config_in_force();
    const RateDeckConfig* planned = find_deck(config.provision, deck);
    if (planned == nullptr) return no_deck(deck);
    if (auto checked = check_currency(*planned, number); at_us && !checked)
      return std::move(checked).error();
    ProvisionStore::Batch batch;
    batch.plans.push_back({std::string(deck), number, at_us.value_or(0)});
    if (auto done = store().write(batch); !done) return std::move(done).error();
  }
  next_due_us_.store(0);
  return version(deck, number);
}

Result<std::string> Provisioning::Body::deck_diff(std::string_view deck, std::uint64_t from,
                                                  std::uint64_t to, std::size_t rows_max) const {
  if (rows_max > deck_diff_rows_max) {
    return Error{ErrorCode::invalid_argument, std::to_string(rows_max) + " rows are not in 0.." +
                                                  std::to_string(deck_diff_rows_max)};
  }
  auto before = deck_at(deck, from);
  if (!before) return std::move(before).error();
  auto after = deck_at(deck, to);
  if (!after) return std::move(after).error();
  return diff_json(*before, from, *after, to, rows_max);
}

Result<void> Provisioning::Body::activate_due() {
  const std::int64_t now_us = host_.wall_us();
  if (next_due_us_.load() > now_us) return {};
  const auto lock = exclusive();
  auto due = store().due(now_us);
  if (!due) return std::move(due).error();
  Result<void> all;
  for (const auto& change : *due) {
    auto done = activate(change.deck, change.number);
    if (done) continue;
    if (done.error().code != ErrorCode::io) {  // trying again would not help
      ProvisionStore::Batch given_up;
      given_up.plans.push_back({change.deck, change.number, 0});
      (void)store().write(given_up);  // the error below is the one to tell
    }
    all = Error{done.error().code, "version " + std::to_string(change.number) + " of rate deck \"" +
                                       change.deck + "\": " + done.error().message};
  }
  auto later = store().due(INT64_MAX);
  if (!later) return std::move(later).error();
  next_due_us_.store(later->empty() ? INT64_MAX : later->front().at_us);
  return all;
}

// --- images of decks ---

Result<void> Provisioning::Body::keep_images() {
  if (!source_->has_images()) return {};
  if (are_decks_changed_.exchange(false)) {
    images_to_write_.clear();
    std::vector<DeckSource::Wanted> wanted;
    const SwitchConfig config = host_.config_in_force();
    for (const RateDeckConfig& deck : config.provision.rate_decks) {
      if (!deck.built || deck.built->size() < DeckImages::rates_min) continue;
      auto versions = store().versions(deck.id);
      if (!versions) return std::move(versions).error();
      for (const DeckVersion& version : *versions) {
        if (version.is_active) wanted.push_back({*deck.built, version.digest});
      }
    }
    auto missing = source_->sweep(std::move(wanted));
    if (!missing) return std::move(missing).error();
    images_to_write_ = std::move(*missing);
  }
  if (images_to_write_.empty()) return {};
  const DeckSource::Wanted next = std::move(images_to_write_.back());
  images_to_write_.pop_back();
  auto done = source_->write_image(next);
  if (!done) images_to_write_.clear();
  return done;
}

// --- without a running switch ---

namespace {

/// Keeps a configuration where a switch would.
class IdleHost final : public ProvisionHost {
 public:
  IdleHost(SwitchConfig config, std::unique_ptr<cdr::DiskLock> lock)
      : config_(std::move(config)), lock_(std::move(lock)) {}
  [[nodiscard]] SwitchConfig config_in_force() const override {
    const std::lock_guard guard(mutex_);
    return config_;
  }
  [[nodiscard]] std::string account_currency(std::string_view account) const override {
    const std::lock_guard guard(mutex_);
    for (const AccountConfig& known : config_.provision.accounts) {
      if (known.id == account) return known.currency;
    }
    return {};
  }
  Result<void> install(SwitchConfig config, const std::function<Result<void>()>& commit) override {
    if (auto done = commit(); !done) return done;
    const std::lock_guard guard(mutex_);
    config_ = std::move(config);
    return {};
  }
  [[nodiscard]] std::int64_t wall_us() const override { return SystemClock().wall_us(); }

 private:
  mutable std::mutex mutex_;  // guards config_
  SwitchConfig config_;
  const std::unique_ptr<cdr::DiskLock> lock_;  // of the journal: no switch starts meanwhile
};

}  // namespace

Result<SwitchConfig> with_stored_objects(SwitchConfig config) {
  auto store = ProvisionStore::open_to_read(config.path(config.database));
  if (!store) return std::move(store).error();
  if (*store == nullptr) return config;
  const SystemClock clock;
  DeckSource source(std::move(*store),
                    DeckImages::beside_database(config, std::make_shared<cdr::PosixDisk>()), clock);
  auto beginning = begin_with_stored(source, std::move(config), clock.wall_us());
  if (!beginning) return std::move(beginning).error();
  return std::move(beginning->config);
}

Result<Provisioning> Provisioning::open(const SwitchConfig& config) {
  cdr::PosixDisk disk;
  const std::string journal = config.path(config.cdr_journal);
  if (auto made = disk.make_folder(journal); !made) return std::move(made).error();
  auto lock = disk.lock(journal + "/lock");
  if (!lock) {
    if (lock.error().code != ErrorCode::already_exists) return std::move(lock).error();
    return Error{ErrorCode::wrong_state, "a switch runs on \"" + journal + "\""};
  }
  auto store = ProvisionStore::open(config.path(config.database));
  if (!store) return std::move(store).error();
  static const SystemClock clock;  // outlives every source; has no state
  auto source = std::make_shared<DeckSource>(
      std::move(*store), DeckImages::beside_database(config, std::make_shared<cdr::PosixDisk>()),
      clock);
  auto beginning = begin_with_stored(*source, config, clock.wall_us());
  if (!beginning) return std::move(beginning).error();
  if (auto done = source->store().write(beginning->batch); !done) return std::move(done).error();
  auto host = std::make_unique<IdleHost>(std::move(beginning->config), std::move(*lock));
  return Provisioning(std::make_unique<Body>(std::move(host), std::move(source)));
}

// --- the public class ---

const char* provision_step_name(ProvisionStep step) noexcept {
  switch (step) {
    case ProvisionStep::idle:
      return "idle";
    case ProvisionStep::reading:
      return "reading";
    case ProvisionStep::building:
      return "building";
    case ProvisionStep::tables:
      return "tables";
    case ProvisionStep::storing:
      return "storing";
  }
  return "";
}

Provisioning::Provisioning(std::unique_ptr<Body> body) noexcept : body_(std::move(body)) {}
Provisioning::~Provisioning() = default;
Provisioning::Provisioning(Provisioning&&) noexcept = default;
Provisioning& Provisioning::operator=(Provisioning&&) noexcept = default;

ProvisionOutcome Provisioning::change(const ProvisionChange& change) {
  return body_->change(change);
}
ProvisionProgress Provisioning::progress() const noexcept { return body_->progress(); }
Result<std::vector<ProvisionedObject>> Provisioning::objects(std::string_view kind) const {
  return body_->objects(kind);
}
Result<ProvisionedObject> Provisioning::object(std::string_view kind, std::string_view id) const {
  return body_->object(kind, id);
}
Result<std::string> Provisioning::rates_csv(std::string_view deck) const {
  auto found = body_->deck(deck);
  if (!found) return std::move(found).error();
  return to_csv(*found);
}
Result<std::string> Provisioning::rates_json(std::string_view deck) const {
  auto found = body_->deck(deck);
  if (!found) return std::move(found).error();
  std::string text = "[";
  for (std::size_t i = 0; i < found->size(); ++i) {
    if (i != 0) text += ',';
    text += to_json(found->at(i));
  }
  return text + "]";
}
Result<std::vector<DeckVersion>> Provisioning::deck_versions(std::string_view deck) const {
  return body_->deck_versions(deck);
}
Result<DeckVersion> Provisioning::roll_back_deck(std::string_view deck,
                                                 std::optional<std::uint64_t> number) {
  return body_->roll_back_deck(deck, number);
}
Result<DeckVersion> Provisioning::schedule_deck(std::string_view deck, std::uint64_t number,
                                                std::optional<std::int64_t> at_us) {
  return body_->schedule_deck(deck, number, at_us);
}
Result<std::string> Provisioning::deck_diff(std::string_view deck, std::uint64_t from,
                                            std::uint64_t to, std::size_t rows_max) const {
  return body_->deck_diff(deck, from, to, rows_max);
}

std::vector<std::string> provision_kinds() {
  std::vector<std::string> names;
  for (const config::ProvisionKind& kind : config::provision_kinds())
    names.emplace_back(kind.name);
  return names;
}

}  // namespace tandem
