// The system's calls for programs that run inside of it, as far as the relay needs them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "media/unique_fd.hpp"
#include "tandem/error.hpp"

namespace tandem::media::bpf {

/// The object file of relay.bpf.c; empty: it was not built in, for want of clang.
std::span<const unsigned char> object_file() noexcept;

/// An array of `entries` values, which can be mapped into memory. Errors: unsupported (the message
/// says which capability or version is missing).
Result<UniqueFd> create_array(const char* name, std::uint32_t value_bytes, std::uint32_t entries);
/// What an array is made of, to recognise one that a former process made.
struct ArrayShape {
  std::uint32_t value_bytes = 0;
  std::uint32_t entries = 0;
  bool operator==(const ArrayShape&) const = default;
};
Result<ArrayShape> shape_of(int map);
bool read_value(int map, std::uint32_t index, void* value) noexcept;
bool write_value(int map, std::uint32_t index, const void* value) noexcept;

/// Keeps `fd` under a name of the bpf file system when everybody has closed it.
Result<void> pin(int fd, const std::string& path);
/// Errors: not_found.
Result<UniqueFd> open_pinned(const std::string& path);

struct Maps {
  UniqueFd settings, states, streams;
};
enum class Hook : std::uint8_t { xdp_native, xdp_generic, tc };
const char* hook_name(Hook hook) noexcept;  ///< "xdp native", "xdp generic", "tc"

/// Loads the function `name` of object_file(). Errors: unsupported.
Result<UniqueFd> load(const char* name, Hook hook, const Maps& maps);
/// Lets what arrives at an interface pass through `program`. Errors: unsupported.
Result<UniqueFd> attach(int program, unsigned interface, Hook hook);
/// The interface that a link is at; 0: it is gone, or nothing is known.
unsigned interface_of(int link) noexcept;
/// What arrives there passes through its program no more, whoever else has the link. Closing alone
/// takes the system its time, and meanwhile no link of another kind is let in.
void detach(int link) noexcept;
/// Puts `program` in the place of the one that `link` has.
bool replace_program(int link, int program) noexcept;

/// BPF_PROG_TEST_RUN: what `program` does with one frame.
struct Trial {
  std::uint32_t verdict = 0;
  std::uint32_t ns = 0;  ///< For each time.
  std::string frame;     ///< As it is afterwards.
};
/// `interface`: by which the frame comes in, 0: the loopback. `times` of them, of the same frame.
/// Errors: io.
Result<Trial> try_out(int program, const std::string& frame, Hook hook, unsigned interface,
                      unsigned times = 1);
/// The same with what the system really does with a frame of XDP afterwards; `times` of them, each
/// as the one before it was left. Errors: io.
Result<void> run_live(int program, const std::string& frame, unsigned interface, unsigned times);

}  // namespace tandem::media::bpf
