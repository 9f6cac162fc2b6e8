-- A module file for Lmod. Copy it to denroot/VERSION.lua below a directory of MODULEPATH, and name the
-- directory to which bin/ and share/ were installed.
whatis("denroot: container images for enroot, Slurm and pyxis")
local root = "/opt/denroot/" .. myModuleVersion()
prepend_path("PATH", pathJoin(root, "bin"))
prepend_path("MANPATH", pathJoin(root, "share/man"))
