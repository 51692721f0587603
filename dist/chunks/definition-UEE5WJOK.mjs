import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);
import{definition}from"./chunk-IWYCW3NG.mjs";import"./chunk-ZPVBRTWI.mjs";import"./chunk-M2YQ7TCH.mjs";import"./chunk-PLGI4CXG.mjs";export{definition};
