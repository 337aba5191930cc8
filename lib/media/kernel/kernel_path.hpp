// Plain streams of the relay inside of the kernel: tables that the program reads, and who may be in
// them.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "media/accelerator.hpp"
#include "media/kernel/bpf.hpp"
#include "media/kernel/layout.h"

namespace tandem::media {

/// Memory of a table, shared with the program.
class MappedArray {
 public:
  MappedArray() = default;
  MappedArray(const MappedArray&) = delete;
  MappedArray& operator=(const MappedArray&) = delete;
  ~MappedArray();
  Result<void> map(int fd, std::size_t bytes);
  [[nodiscard]] void* at() const noexcept { return at_; }

 private:
  void* at_ = nullptr;
  std::size_t bytes_ = 0;
};

class KernelPath final : public FlowAccelerator {
 public:
  /// Loads the program, takes over what a former process left in the folder, and lets what comes in
  /// by the interfaces pass through the program. Errors: unsupported.
  static Result<std::unique_ptr<KernelPath>> open(const MediaConfig& config);
  ~KernelPath() override;
  /// clear_kernel().
  static void clear_left(const MediaConfig& config);

  void begin(FlowTable& flows) override { flows_ = &flows; }
  std::vector<FoundSession> found() override;
  void resume(const FoundSession& session) override;
  void forget(const FoundSession& session) override;
  void lock(std::uint32_t slot) noexcept override;
  void unlock(std::uint32_t slot) noexcept override;
  void add_carried(std::uint32_t slot) noexcept override;
  void note_judged(std::uint32_t slot) noexcept override;
  void reconsider(std::uint32_t slot, std::int64_t now_us) noexcept override;
  void take_back(std::uint32_t slot) noexcept override;
  void add_stats(MediaRelayStats& stats) const noexcept override;
  [[nodiscard]] std::string how() const override;
  void stop() noexcept override;

 private:
  struct Interface {
    std::string name;
    unsigned index = 0;
    std::uint32_t mtu = 0;
  };
  /// What is kept here of a pair of ports.
  struct Pair {
    std::atomic<bool> is_locked{false};
    std::uint32_t epoch = 0;  ///< Of the session that the two records are for.
    std::int64_t turned_us = 0;
    /// Added to the flow already, of each record.
    std::uint64_t packets[2] = {0, 0}, bytes[2] = {0, 0};
    std::uint32_t policed[2] = {0, 0};
  };

  explicit KernelPath(const MediaConfig& config);
  Result<void> open_folder();
  Result<void> open_interfaces();
  bool take_over_maps();
  Result<void> make_maps();
  Result<void> attach_all();
  Result<void> attach_all(bpf::Hook hook);
  void clear_folder(const std::vector<std::string>& but = {}) noexcept;
  void write_settings(tandem_relay_settings& set) const noexcept;
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }
  [[nodiscard]] std::string link_name(const Interface& of, bpf::Hook hook) const;

  [[nodiscard]] std::uint64_t state(std::uint32_t pair) const noexcept;
  void set_state(std::uint32_t pair, std::uint64_t state) noexcept;
  [[nodiscard]] bool is_on(std::uint32_t pair) const noexcept;
  [[nodiscard]] tandem_stream& record(std::uint32_t pair, unsigned bank) const noexcept;
  [[nodiscard]] tandem_stream& in_force(std::uint32_t pair) const noexcept;
  void turn_off(std::uint32_t pair) noexcept;
  [[nodiscard]] std::optional<tandem_stream> wanted(std::uint32_t slot,
                                                    std::int64_t now_us) const noexcept;
  [[nodiscard]] std::uint16_t port_of(std::uint32_t pair) const noexcept;
  [[nodiscard]] bool is_own(const PackedAddress& address) const noexcept;

  const MediaConfig config_;
  const std::uint32_t pairs_;  // of each family; those of IPv6 are behind those of IPv4
  const std::string folder_;
  UniqueFd folder_lock_;
  std::vector<Interface> interfaces_;
  bpf::Maps maps_;
  bool are_taken_over_ = false;
  bpf::Hook hook_ = bpf::Hook::xdp_native;
  std::vector<UniqueFd> links_;
  bool is_open_ = false;
  MappedArray states_, streams_;
  FlowTable* flows_ = nullptr;
  std::unique_ptr<Pair[]> state_of_;
  std::atomic<std::uint64_t> on_{0}, packets_{0}, policed_{0};
};

}  // namespace tandem::media
