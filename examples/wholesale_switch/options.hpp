// The command line of tandem-switch.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Exit statuses (docs/tandem-switch.md).
enum Status : int { status_good = 0, status_failed = 1, status_usage = 2 };

/// `tandem-switch COMMAND [OPERAND ...] --name VALUE ...`.
class Options {
 public:
  /// Nothing: the line was wrong, and stderr says how.
  static std::optional<Options> read(int count, char** words);

  [[nodiscard]] const std::string& command() const { return command_; }
  /// What stands without a "--"; `index` below what allow() was told.
  [[nodiscard]] const std::string& operand(std::size_t index) const { return operands_[index]; }
  [[nodiscard]] std::string operand_or(std::size_t index, const std::string& otherwise) const {
    return index < operands_.size() ? operands_[index] : otherwise;
  }
  [[nodiscard]] bool has(const std::string& name) const { return values_.contains(name); }
  [[nodiscard]] std::string text(const std::string& name, const std::string& otherwise = "") const;
  /// Nothing: absent or no number; then stderr says so.
  [[nodiscard]] std::optional<std::int64_t> number(const std::string& name) const;
  /// True when each name given is one of `known`, each of `required` is there, and so are as many
  /// operands as `operands` names; else stderr says what is wrong.
  [[nodiscard]] bool allow(const std::vector<std::string>& known,
                           const std::vector<std::string>& required,
                           const std::vector<std::string>& operands = {}) const;

 private:
  std::string command_;
  std::vector<std::string> operands_;
  std::map<std::string, std::string> values_;
};

/// One line on stderr.
void complain(std::string_view text);
