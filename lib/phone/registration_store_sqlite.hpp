// Registrations in the database, so that a restart does not take the phones off line.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "phone/registrar.hpp"
#include "store/sqlite.hpp"
#include "tandem/error.hpp"

namespace tandem::phone {

/// Threading: thread-safe; the mutex guards `connection_`.
class RegistrationStore {
 public:
  /// Errors: io, unsupported (written by a later release).
  static Result<std::unique_ptr<RegistrationStore>> open(const std::string& path);

  /// Everything stored; times are of the wall clock. Errors: io.
  Result<std::vector<StoredRegistration>> load();
  /// Replaces what is stored of each registrant, all in one transaction. Errors: io.
  Result<void> write(const std::vector<StoredRegistration>& changes);

 private:
  explicit RegistrationStore(store::Connection connection) : connection_(std::move(connection)) {}

  std::mutex mutex_;
  store::Connection connection_;
};

}  // namespace tandem::phone
