# Every .cc file in native/linux is part of the addon, every one in native/linux/guardian of the freeze guardian, every one in
# native/linux/keeper of the keeper, which becomes the guardian by fork, too.
{
  'target_defaults': {
    'cflags_cc!': ['-std=gnu++17', '-std=gnu++20', '-O3'],
    'cflags_cc': ['-std=c++20', '-O2', '-fvisibility=hidden', '-Wall', '-Wextra', '-Wno-unused-parameter'],
    'cflags!': ['-O3'],
    'defines': ['_GNU_SOURCE', '_FILE_OFFSET_BITS=64'],
  },
  'targets': [
    {
      'target_name': 'concierge',
      'sources': ['<!@(ls native/linux/*.cc)', 'native/linux/keeper/packet.cc'],
      'cflags_cc!': ['-fno-exceptions'],
      'cflags_cc': ['-fexceptions'],
      'include_dirs': ["<!(node -p \"require('node-addon-api').include_dir\")"],
      'defines': ['NAPI_VERSION=9', 'NODE_ADDON_API_CPP_EXCEPTIONS', 'NODE_ADDON_API_DISABLE_DEPRECATED'],
      'ldflags': ['-Wl,--gc-sections', '-Wl,-z,relro,-z,now'],
    },
    {
      'target_name': 'concierge-guardian',
      'type': 'executable',
      'sources': ['<!@(ls native/linux/guardian/*.cc)'],
      # All of it is locked into memory while a disk is frozen: libc and nothing else. gyp takes a flag out wherever it
      # comes from, so this stays as one only if no default excludes it.
      'cflags_cc': ['-fno-exceptions', '-fno-rtti', '-fno-threadsafe-statics', '-ffunction-sections'],
      'ldflags': ['-Wl,--gc-sections', '-Wl,--as-needed', '-Wl,-z,relro,-z,now'],
    },
    {
      'target_name': 'concierge-keeper',
      'type': 'executable',
      'sources': ['<!@(ls native/linux/keeper/*.cc)', '<!@(ls native/linux/guardian/*.cc | grep -v /main.cc)'],
      'defines': ['CONCIERGE_VERSION="<!(node -p "require(\'./package.json\').version")"'],
      # It is there for as long as the machine runs: libc and nothing else.
      'cflags_cc': ['-fno-exceptions', '-fno-rtti', '-fno-threadsafe-statics', '-ffunction-sections'],
      'ldflags': ['-Wl,--gc-sections', '-Wl,--as-needed', '-Wl,-z,relro,-z,now'],
    },
  ],
}
