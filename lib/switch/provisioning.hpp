// What a change of provisioned objects makes of the configuration, of the database and of the
// switch that runs on both.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "switch/deck_source.hpp"
#include "switch/provision_store_sqlite.hpp"
#include "tandem/config.hpp"
#include "tandem/provision.hpp"

namespace tandem {

/// The switch whose objects are changed, running or not. Called by one thread at a time.
class ProvisionHost {
 public:
  virtual ~ProvisionHost() = default;
  /// A copy of the configuration in force.
  [[nodiscard]] virtual SwitchConfig config_in_force() const = 0;
  /// "": the switch has not seen this account yet.
  [[nodiscard]] virtual std::string account_currency(std::string_view account) const = 0;
  /// Puts `config` in force for new calls, between building what it needs and swapping it in calls
  /// `commit`; when that fails all stays as it was.
  virtual Result<void> install(SwitchConfig config,
                               const std::function<Result<void>()>& commit) = 0;
  [[nodiscard]] virtual std::int64_t wall_us() const = 0;
};

/// ProvisionProgress that one thread writes and others look at.
class ProgressGauge {
 public:
  [[nodiscard]] ProvisionProgress look() const noexcept {
    return {step_.load(std::memory_order_relaxed), done_bytes_.load(std::memory_order_relaxed),
            total_bytes_.load(std::memory_order_relaxed)};
  }
  void begin(std::uint64_t total_bytes) noexcept {
    done_bytes_.store(0, std::memory_order_relaxed);
    total_bytes_.store(total_bytes, std::memory_order_relaxed);
    enter(ProvisionStep::reading);
  }
  void enter(ProvisionStep step) noexcept { step_.store(step, std::memory_order_relaxed); }
  void set_done(std::uint64_t bytes) noexcept {
    done_bytes_.store(bytes, std::memory_order_relaxed);
  }
  void end() noexcept {
    enter(ProvisionStep::idle);
    done_bytes_.store(0, std::memory_order_relaxed);
    total_bytes_.store(0, std::memory_order_relaxed);
  }

 private:
  std::atomic<ProvisionStep> step_{ProvisionStep::idle};
  std::atomic<std::uint64_t> done_bytes_{0}, total_bytes_{0};
};

/// Threading: thread-safe; `mutex_` makes changes come one after the other.
class Provisioning::Body {
 public:
  /// `host` outlives this object.
  Body(ProvisionHost& host, std::shared_ptr<DeckSource> source);
  explicit Body(std::unique_ptr<ProvisionHost> host, std::shared_ptr<DeckSource> source);

  /// Held by whoever changes the configuration by another way.
  [[nodiscard]] std::unique_lock<std::mutex> exclusive() { return std::unique_lock(mutex_); }

  ProvisionOutcome change(const ProvisionChange& change);
  [[nodiscard]] ProvisionProgress progress() const noexcept { return progress_.look(); }
  Result<std::vector<ProvisionedObject>> objects(std::string_view kind) const;
  Result<ProvisionedObject> object(std::string_view kind, std::string_view id) const;
  Result<RateDeck> deck(std::string_view id) const;
  Result<std::vector<DeckVersion>> deck_versions(std::string_view deck) const;
  /// The rates of one version. Errors: not_found (deck, version), io.
  Result<RateDeck> deck_at(std::string_view deck, std::uint64_t number) const;
  Result<DeckVersion> roll_back_deck(std::string_view deck, std::optional<std::uint64_t> number);
  Result<DeckVersion> schedule_deck(std::string_view deck, std::uint64_t number,
                                    std::optional<std::int64_t> at_us);
  Result<std::string> deck_diff(std::string_view deck, std::uint64_t from, std::uint64_t to,
                                std::size_t rows_max) const;

  [[nodiscard]] ProvisionStore& store() const noexcept { return source_->store(); }
  [[nodiscard]] DeckSource& decks() noexcept { return *source_; }

  /// Makes the versions active whose time has come. Errors: io; the rest is tried again.
  Result<void> activate_due();

  /// Decks were exchanged: called when they are in force, by whoever does that by another way.
  void note_changed_decks() noexcept { are_decks_changed_.store(true); }
  /// Writes one image that is missing, removes those of decks that are not in force any more.
  /// Called now and then, by one thread at a time. Errors: io, limit, invalid_argument, corrupt;
  /// then no more are written until decks change.
  Result<void> keep_images();

 private:
  Result<DeckVersion> version(std::string_view deck, std::uint64_t number) const;
  /// Errors: wrong_state (the version has prices in another currency than the deck), io.
  Result<void> check_currency(const RateDeckConfig& deck, std::uint64_t number) const;
  Result<void> activate(const std::string& deck, std::uint64_t number);
  void note_next_due();

  const std::unique_ptr<ProvisionHost> owned_;
  ProvisionHost& host_;
  const std::shared_ptr<DeckSource> source_;
  std::mutex mutex_;
  ProgressGauge progress_;
  std::atomic<bool> are_decks_changed_{true};        // since keep_images() looked
  std::vector<DeckSource::Wanted> images_to_write_;  // of the thread that calls it
  std::atomic<std::int64_t> next_due_us_{0};         // of any deck; INT64_MAX: none
};

/// What a switch that starts at `now_us` runs on.
struct Beginning {
  SwitchConfig config;          ///< The file's objects over those that are stored.
  ProvisionStore::Batch batch;  ///< What has become of the versions of decks.
};
/// Reads what is stored with the reader of the file; decks have their rates as lay_decks() says,
/// also those that became due while no switch ran. Errors: io, corrupt, unsupported,
/// invalid_argument (an object is wrong, or does not fit to the file).
Result<Beginning> begin_with_stored(DeckSource& source, SwitchConfig file, std::int64_t now_us);

/// Gives each deck of a file that has versions the rates that count now, and notes in `batch` what
/// that makes of them. The file's count when they are others than at the last start or reload, or
/// the deck's currency is another; else those of the version that is active, or is due by
/// `until_us` (0: none is). Errors: io, corrupt, invalid_argument.
Result<void> lay_decks(DeckSource& source, std::vector<RateDeckConfig>& decks,
                       std::int64_t until_us, std::int64_t now_us, ProvisionStore::Batch& batch);

/// Builds decks from their rates, so that copies of the configuration share them. Errors:
/// invalid_argument, limit (names the deck).
Result<void> freeze_decks(std::vector<RateDeckConfig>& decks);
Result<RateDeck> build_deck(const RateDeckConfig& config);

// --- in provisioning_json.cpp ---

/// Reads `change.puts` into `update`; `names` gets kind and id of each. Each fault has its index.
/// `on_read`: told how many bytes of CSV were read, now and then.
void read_puts(const ProvisionChange& change, const SwitchConfig& in_force, Provision& update,
               std::vector<ObjectName>& names, std::vector<ProvisionFault>& faults,
               const std::function<void(std::uint64_t)>& on_read);
/// Bytes of CSV in `change.puts`.
std::uint64_t csv_bytes(const ProvisionChange& change) noexcept;
/// Reads one stored object, without rates. Errors: as read_stored().
Result<void> read_stored_object(const ProvisionedObject& object, const std::string& folder,
                                Provision& into);
/// `json` of a deck with its rates.
std::string with_rates(const std::string& json, const RateDeck& deck);
/// `json` of a deck with `rows`, how many rates it has.
std::string with_row_count(const std::string& json, std::size_t rows);
std::string id_only_json(std::string_view id);
std::string memo_of(const std::string& json);
std::string diff_json(const RateDeck& from, std::uint64_t from_number, const RateDeck& to,
                      std::uint64_t to_number, std::size_t rows_max);

}  // namespace tandem
