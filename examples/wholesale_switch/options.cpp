#include "options.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

void complain(std::string_view text) {
  std::fprintf(stderr, "tandem-switch: %.*s\n", static_cast<int>(text.size()), text.data());
}

namespace {

/// Options that have no value, so that the word behind them is one of its own.
bool is_flag(const std::string& name) {
  return name == "apply" || name == "dry-run" || name == "hep" || name == "progress" ||
         name == "reference" || name == "settled" || name == "table";
}

}  // namespace

std::optional<Options> Options::read(int count, char** words) {
  Options options;
  if (count < 2) {
    complain("no command; see tandem-switch help");
    return std::nullopt;
  }
  options.command_ = words[1];
  for (int i = 2; i < count; ++i) {
    const std::string_view word = words[i];
    if (!word.starts_with("--") || word.size() < 3) {
      options.operands_.emplace_back(word);
      continue;
    }
    std::string name(word.substr(2));
    std::string value;
    if (const auto equals = name.find('='); equals != std::string::npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
    } else if (!is_flag(name) && i + 1 < count &&
               !std::string_view(words[i + 1]).starts_with("--")) {
      value = words[++i];
    }
    if (!options.values_.emplace(name, value).second) {
      complain("--" + name + " was given twice");
      return std::nullopt;
    }
  }
  return options;
}

std::string Options::text(const std::string& name, const std::string& otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() ? otherwise : found->second;
}

std::optional<std::int64_t> Options::number(const std::string& name) const {
  const std::string written = text(name);
  std::int64_t value = 0;
  const char* const end = written.data() + written.size();
  const auto [stop, error] = std::from_chars(written.data(), end, value);
  if (written.empty() || error != std::errc() || stop != end) {
    complain("--" + name + " \"" + written + "\" is no whole number");
    return std::nullopt;
  }
  return value;
}

bool Options::allow(const std::vector<std::string>& known, const std::vector<std::string>& required,
                    const std::vector<std::string>& operands) const {
  if (operands_.size() > operands.size()) {
    complain("unexpected \"" + operands_[operands.size()] + "\"");
    return false;
  }
  if (operands_.size() < operands.size()) {
    complain(command_ + " needs " + operands[operands_.size()]);
    return false;
  }
  for (const auto& [name, value] : values_) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      complain("unknown option --" + name + " of " + command_);
      return false;
    }
  }
  for (const auto& name : required) {
    if (!has(name) || text(name).empty()) {
      complain(command_ + " needs --" + name);
      return false;
    }
  }
  return true;
}
