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
  };
  struct VersionChange {
    std::string deck;
    std::uint64_t number = 0;
    std::int64_t at_us = 0;  ///< Of `plans`, 0: not any more.
  };
  /// What is written in one transaction, in this order.
  struct Batch {
    std::vector<ProvisionedObject> puts;
    std::vector<ObjectName> removals;  ///< A rate deck goes with its versions.
    std::vector<NewVersion> versions;
    std::vector<VersionChange> activations;
    std::vector<VersionChange> plans;
    [[nodiscard]] bool is_empty() const noexcept {
      return puts.empty() && removals.empty() && versions.empty() && activations.empty() &&
             plans.empty();
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
  /// Nothing: the deck has no version. Errors: io.
  Result<std::optional<std::string>> active_rates(std::string_view deck);
  /// Planned versions whose time is not after `until_us`, earliest first. Errors: io.
  Result<std::vector<VersionChange>> due(std::int64_t until_us);

  /// Versions beyond deck_versions_max go, oldest first, but for the active and planned ones.
  /// Errors: io.
  Result<void> write(const Batch& batch);

 private:
  explicit ProvisionStore(store::Connection connection) : connection_(std::move(connection)) {}
  Result<void> write_objects(const Batch& batch);
  Result<void> add(const NewVersion& added);
  Result<void> activate(const VersionChange& change);
  Result<void> plan(const VersionChange& change);
  Result<void> prune(const std::string& deck);

  std::mutex mutex_;
  store::Connection connection_;
};

}  // namespace tandem
