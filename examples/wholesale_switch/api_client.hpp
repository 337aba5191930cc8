// Requests to the admin API of the running switch.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "tandem/tandem.hpp"

class ApiClient {
 public:
  /// Called while a request is sent, with bytes done and bytes in all.
  using Progress = std::function<void(std::size_t, std::size_t)>;

  /// REQUIRES: config.admin_listen.
  explicit ApiClient(const tandem::SwitchConfig& config);

  /// Nothing: failure() says why. `content_type` "": without a body.
  std::optional<tandem::AdminAnswer> ask(std::string_view method, std::string_view target,
                                         std::string_view content_type = {},
                                         std::string_view body = {},
                                         const Progress& on_progress = {});
  [[nodiscard]] const std::string& failure() const { return failure_; }
  /// Of the last ask(): somebody listens there.
  [[nodiscard]] bool is_reachable() const { return is_reachable_; }

 private:
  const tandem::SocketAddress address_;
  const std::string token_;
  std::string failure_;
  bool is_reachable_ = false;
};
