// All orders of acts up to a depth, each once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "races/scene.hpp"

namespace tandem::races {

struct Failure {
  std::string setting;
  std::vector<std::string> acts;  ///< As few as show it.
  std::vector<std::string> breaches;
};

struct Counts {
  std::uint64_t schedules = 0;  ///< Played to their end.
  std::uint64_t states = 0;     ///< That differ in what can be seen.
  std::uint64_t pruned = 0;     ///< Came to a state that had been gone on from.
  std::uint64_t packets = 0;
  std::uint64_t failed = 0;
};

/// Plays everything that can happen within `depth` acts after each origin of a setting.
class Explorer {
 public:
  Explorer(const Setting& setting, int depth) : setting_(setting), depth_(depth) {}

  /// `may_go_on` is asked before each schedule.
  void run(const std::function<bool()>& may_go_on);
  [[nodiscard]] const Counts& counts() const { return counts_; }
  /// One for each kind of breach.
  [[nodiscard]] const std::vector<Failure>& failures() const { return failures_; }

 private:
  void explore(const std::vector<std::string>& origin, const std::function<bool()>& may_go_on);
  void note(const Outcome& outcome);
  void shrink(Failure& failure) const;

  struct Choice {
    std::vector<std::string> acts;
    std::size_t next = 0;
  };
  const Setting& setting_;
  int depth_;
  std::unique_ptr<Scene> scene_;
  std::uint64_t scene_plays_ = 0;
  std::unordered_map<std::uint64_t, int> seen_;  // state: acts that were left
  std::vector<Failure> failures_;
  Counts counts_;
};

}  // namespace tandem::races
