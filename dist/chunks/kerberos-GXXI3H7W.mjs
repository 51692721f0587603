import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);
import{__esm}from"./chunk-2Z2CU6QK.mjs";var init_kerberos=__esm({"left-out:kerberos"(){throw new Error("kerberos is not part of the bundle")}});init_kerberos();
