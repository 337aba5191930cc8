// Reaches the network of a world, for tests that put more into it than endpoints and switches.
#pragma once

#include "sim/sim_network.hpp"
#include "tandem/sim.hpp"

namespace tandem::sim {

class WorldAccess {
 public:
  static SimNetwork& network(World& world) noexcept;
};

}  // namespace tandem::sim
