// Provisioned objects of a switch as JSON: kept in its database, changed while it runs.
//
// An object is what stands in one of the lists of `provision` in the configuration file. Objects
// that are put here survive a restart; those of the file are laid over them at each start and
// reload, rates of a deck when the file has others than before (docs/admin-api.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/config.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"

namespace tandem {

/// The lists of `provision`: "accounts", "rate_decks", "customer_gateways", ...
TANDEM_EXPORT std::vector<std::string> provision_kinds();

struct ProvisionedObject {
  std::string kind;  ///< One of provision_kinds().
  std::string id;    ///< "": the one that `json` has.
  /// The object, its `id` optional when given above. "" with `rates`: as it was.
  std::string json;
  /// Of a rate deck, instead of a key `rates`: the rates as CSV or as a JSON array.
  std::optional<std::string> rates;
};

struct ObjectName {
  std::string kind, id;
};

/// Changes that are made together or not at all.
struct ProvisionChange {
  std::vector<ProvisionedObject> puts;  ///< Created, or replaced whole.
  std::vector<ObjectName> removals;
  /// Of the rates of the decks that are put: from then on; the decks must be there and keep their
  /// currency. Nothing or not after now: at once.
  std::optional<std::int64_t> valid_from_us;
  std::optional<std::string> memo;  ///< Of the new versions of decks; nothing: the deck's `memo`.
  bool dry_run = false;             ///< Only looks whether it could be done.
};

/// What a change is at.
enum class ProvisionStep : std::uint8_t {
  idle,      ///< Nothing is changed.
  reading,   ///< Objects and rates; the one step with figures.
  building,  ///< Decks, their versions, and the check of all that there will be.
  tables,    ///< The tables of calls.
  storing,   ///< The database.
};
/// "idle", "reading", "building", "tables", "storing". Lives for ever.
TANDEM_EXPORT const char* provision_step_name(ProvisionStep step) noexcept;

/// How far a change has come. Steps follow in their order; one that a dry run or a fault ends early
/// skips the rest.
struct ProvisionProgress {
  ProvisionStep step = ProvisionStep::idle;
  std::uint64_t done_bytes = 0;   ///< Of the CSV of rates that are put.
  std::uint64_t total_bytes = 0;  ///< Of all of it; 0: there is none, or nothing is changed.
};

/// One reason why a change was not made.
struct ProvisionFault {
  /// invalid_argument (the object is wrong), not_found, wrong_state (something refers to it, or
  /// would no longer be right), limit, io (the database).
  ErrorCode code = ErrorCode::invalid_argument;
  std::size_t index = 0;  ///< Of the object: `puts`, then `removals`.
  std::string pointer;    ///< JSON pointer into the object; "" for the whole of it.
  std::string message;
};

/// {"code", "index", "pointer", "message"}.
TANDEM_EXPORT std::string to_json(const ProvisionFault& fault);

struct ProvisionOutcome {
  std::vector<ProvisionFault> faults;  ///< Empty: done, or possible in a dry run.
  std::size_t created = 0, replaced = 0, removed = 0;
};

/// The rates that a deck had, has or will have.
struct DeckVersion {
  std::uint64_t number = 0;  ///< Counts up from 1, never used again.
  std::string digest;        ///< SHA-256 of the rates in the form of to_csv(), in hex.
  std::uint64_t rows = 0;
  std::string memo;
  std::int64_t made_at_us = 0;
  std::int64_t due_at_us = 0;        ///< Becomes active then; 0: not planned.
  std::int64_t activated_at_us = 0;  ///< When it last became active; 0: never was.
  bool is_active = false;
};
inline constexpr std::size_t deck_versions_max = 16;  ///< Kept of a deck; the oldest go first.
inline constexpr std::size_t deck_diff_rows_max = 100'000;
TANDEM_EXPORT std::string to_json(const DeckVersion& version);

/// The provisioned objects of one switch.
///
/// Threading: thread-safe. Every method may wait for the disk and for tables to be built, so none
/// belongs on a call worker; calls never wait for it.
class TANDEM_EXPORT Provisioning {
 public:
  class Body;

  /// Those of a switch that does not run: opens its database and keeps it from running meanwhile.
  /// `config`: as read from the file. Errors: wrong_state (a switch runs on this database), io,
  /// invalid_argument (what is stored does not fit to the file; says what).
  static Result<Provisioning> open(const SwitchConfig& config);
  explicit Provisioning(std::unique_ptr<Body> body) noexcept;
  ~Provisioning();
  Provisioning(Provisioning&&) noexcept;
  Provisioning& operator=(Provisioning&&) noexcept;

  /// New calls see all of it or nothing; running calls keep what they started with. An account's
  /// balance counts when the account is created, as in the file.
  ProvisionOutcome change(const ProvisionChange& change);
  /// Of the change() that is made now, for whoever looks on from another thread. Does not wait.
  [[nodiscard]] ProvisionProgress progress() const noexcept;

  /// All objects of a kind in order of id, as they were given; decks with `rows`, their
  /// number, instead of rates. An object that a C++ host gave as a structure has its id alone.
  /// Errors: not_found (no such kind).
  Result<std::vector<ProvisionedObject>> objects(std::string_view kind) const;
  /// One; a deck has its rates. Errors: not_found.
  Result<ProvisionedObject> object(std::string_view kind, std::string_view id) const;
  /// The rates of a deck, as CSV or as a JSON array. Errors: not_found.
  Result<std::string> rates_csv(std::string_view deck) const;
  Result<std::string> rates_json(std::string_view deck) const;

  /// Newest first. A deck that was never put here has none. Errors: not_found (no such deck), io.
  Result<std::vector<DeckVersion>> deck_versions(std::string_view deck) const;
  /// Makes an earlier version active; nothing: the newest one before the active one that was
  /// active. Errors: not_found (deck, version), wrong_state (its prices are in another currency
  /// than the deck's), io.
  Result<DeckVersion> roll_back_deck(std::string_view deck, std::optional<std::uint64_t> number);
  /// Plans when a version becomes active; nothing: not any more; not after now: at once. Errors:
  /// not_found (deck, version), wrong_state (it is active, or its prices are in another currency
  /// than the deck's), io.
  Result<DeckVersion> schedule_deck(std::string_view deck, std::uint64_t number,
                                    std::optional<std::int64_t> at_us);
  /// {"from", "to", "added": [rate], "removed": [rate], "changed": [{"prefix", "from", "to"}],
  /// "counts": {...}}: at most `rows_max` rows of each, the counts of all. Errors: not_found,
  /// invalid_argument (rows_max above deck_diff_rows_max), io.
  Result<std::string> deck_diff(std::string_view deck, std::uint64_t from, std::uint64_t to,
                                std::size_t rows_max = 1000) const;

 private:
  std::unique_ptr<Body> body_;
};

/// Reads objects of one kind, or of "gateways" with a column `kind` (customer, vendor), from CSV: a
/// header line with keys of that list, `id` among them, then an object a line. An empty cell is the
/// default; lists have blanks between their items; objects are JSON in their cell. `rows` gets the
/// number of the line of each object, counted in lines of the table from 1, the header. Errors:
/// not_found (no such kind), invalid_argument (names row and column).
TANDEM_EXPORT Result<std::vector<ProvisionedObject>> objects_from_csv(
    std::string_view kind, std::string_view csv, std::vector<std::size_t>* rows = nullptr);
/// The same back: objects of one kind, a column for each key that one of them has.
TANDEM_EXPORT std::string objects_to_csv(std::string_view kind,
                                         const std::vector<ProvisionedObject>& objects);

/// `config` with the objects that its database holds under those of the file: what a switch that
/// starts now would run. Errors: io, invalid_argument (they do not fit; says what).
TANDEM_EXPORT Result<SwitchConfig> with_stored_objects(SwitchConfig config);

}  // namespace tandem
