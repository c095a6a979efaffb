# Hands over to CMake (CMakeLists.txt is the only build description), so that node-gyp and prebuildify find the
# addon where they look for it.
{
  "targets": [
    {
      "target_name": "mneme",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["<(PRODUCT_DIR)/mneme.node"],
          "action": ["node", "scripts/build-addon.mjs", "<(PRODUCT_DIR)"]
        }
      ]
    }
  ]
}
