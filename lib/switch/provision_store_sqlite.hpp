// Provisioned objects and versions of rate decks in the database of the switch.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/sqlite.hpp"
#include "tandem/error.hpp"
#include "tandem/provision.hpp"

namespace tandem {

/// Threading: thread-safe; `mutex_` guards the connection.
class ProvisionStore {
 public:
  /// A version to be added; its number is given when it is written.
  struct NewVersion {
    std::string deck;
    DeckVersion version;
    std::string csv;
    std::string currency;  ///< Of its prices.
  };
  struct VersionChange {
    std::string deck;
    std::uint64_t number = 0;
    std::int64_t at_us = 0;  ///< Of `plans`, 0: not any more.
  };
  /// The rates that the configuration file had for a deck when it was last read.
  struct FileDeck {
    std::string deck;
    std::string digest;  ///< As in DeckVersion.
  };
  /// What is written in one transaction, in this order.
  struct Batch {
    std::vector<ProvisionedObject> puts;
    std::vector<ObjectName> removals;  ///< A rate deck goes with its versions.
    std::vector<NewVersion> versions;
    std::vector<VersionChange> activations;
    std::vector<VersionChange> plans;
    std::vector<FileDeck> file_decks;
    [[nodiscard]] bool is_empty() const noexcept {
      return puts.empty() && removals.empty() && versions.empty() && activations.empty() &&
             plans.empty() && file_decks.empty();
    }
  };

  /// Errors: io, unsupported (written by a later release).
  static Result<std::unique_ptr<ProvisionStore>> open(const std::string& path);

  /// For questions only, beside a running switch too. Null: nothing was ever stored there. Errors:
  /// io.
  static Result<std::unique_ptr<ProvisionStore>> open_to_read(const std::string& path);

  /// In order of kind and id. Errors: io.
  Result<std::vector<ProvisionedObject>> objects();
  /// Newest first. Errors: io.
  Result<std::vector<DeckVersion>> versions(std::string_view deck);
  /// CSV. Errors: not_found, io.
  Result<std::string> rates(std::string_view deck, std::uint64_t number);
  /// Of the prices of a version; "": of a release that did not note it, or no such version. Errors:
  /// io.
  Result<std::string> currency(std::string_view deck, std::uint64_t number);
  /// FileDeck::digest; "": no file had the deck since it has versions. Errors: io.
  Result<std::string> file_digest(std::string_view deck);
  /// Planned versions whose time is not after `until_us`, earliest first. Errors: io.
  Result<std::vector<VersionChange>> due(std::int64_t until_us);

  /// Versions beyond deck_versions_max go, oldest first, but for the active and planned ones.
  /// Errors: io.
  Result<void> write(const Batch& batch);

 private:
  ProvisionStore(store::Connection connection, bool has_file_decks)
      : connection_(std::move(connection)), has_file_decks_(has_file_decks) {}
  Result<void> write_objects(const Batch& batch);
  Result<void> add(const NewVersion& added);
  Result<void> activate(const VersionChange& change);
  Result<void> plan(const VersionChange& change);
  Result<void> prune(const std::string& deck);

  std::mutex mutex_;
  store::Connection connection_;
  const bool has_file_decks_;  // false: of an earlier release, and opened to be read only
};

}  // namespace tandem
